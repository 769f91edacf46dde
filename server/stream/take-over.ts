import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/** What `node:http` keeps with a socket. None of it is documented, so each part is looked for before it is used. */
interface HttpParser {
  /** The request that it reads, or read last. */
  incoming?: unknown;
  unconsume?: () => void;
  remove?: () => void;
  close?: () => void;
}
type HttpSocket = Socket & { parser?: HttpParser | null; _httpMessage?: unknown };

/** The listeners that `node:http` puts on each socket, by event and name. Those of the application stay. */
const HTTP_LISTENERS = Object.entries({
  data: 'socketOnData',
  end: 'socketOnEnd',
  close: 'socketOnClose',
  drain: 'socketOnDrain',
  timeout: 'socketOnTimeout',
  error: 'socketOnError',
}).map(([event, name]) => ({ event, names: [name, `bound ${name}`] }));

interface SocketListener {
  readonly event: string;
  readonly listener: (...args: unknown[]) => void;
}

/**
 * Takes the socket over from `node:http` once the head of a response is on its way, so that an idle stream keeps
 * neither parser nor request nor response: about 4 KB instead of 10 to 17.
 * Where the runtime does not have what is needed, or the socket is not a plain one, the response itself is returned:
 * it costs more and does the same.
 */
export function takeOver(request: IncomingMessage, response: ServerResponse): Writable {
  const socket = response.socket as HttpSocket | null;
  if (socket === null || !isPlain(socket)) return response;
  // A parser within its request puts itself back on its server's list at the end of it, which `close` would not undo.
  if (!request.complete) return response;
  const parser = socket.parser;
  // Nor must one be closed that reads the next request already, which came in the same packet: it would be freed while
  // its server still has it on the list, and the process would end by that.
  if (parser?.incoming !== request) return response;
  const listeners = httpListeners(socket);
  if (!isKnown(parser) || listeners === null || typeof response.detachSocket !== 'function') {
    return response;
  }

  response.detachSocket(socket);
  for (const { event, listener } of listeners) socket.removeListener(event, listener);
  // Restored by assignment: `delete` would turn the socket into a slow dictionary.
  socket.on = Socket.prototype.on;
  socket.addListener = Socket.prototype.addListener;
  socket.prependListener = Socket.prototype.prependListener;
  parser.unconsume();
  parser.remove();
  parser.incoming = null;
  socket.parser = null;
  (request as { parser?: unknown }).parser = null;
  // Not at once: the parser may be further up the stack.
  setImmediate(() => parser.close());
  socket.setTimeout(0);
  // A reader must flow to be told of its end; what a subscriber sends is dropped.
  socket.resume();
  return socket;
}

function isPlain(socket: Socket): boolean {
  return Object.getPrototypeOf(socket) === Socket.prototype && !socket.destroyed;
}

/** `null` unless each of them is there exactly once: one that stayed would touch the parser that is gone. */
function httpListeners(socket: Socket): readonly SocketListener[] | null {
  const found: SocketListener[] = [];
  for (const { event, names } of HTTP_LISTENERS) {
    let listener: unknown = null;
    for (const candidate of socket.rawListeners(event)) {
      if (!names.includes(candidate.name)) continue;
      if (listener !== null) return null;
      listener = candidate;
    }
    if (listener === null) return null;
    found.push({ event, listener: listener as SocketListener['listener'] });
  }
  return found;
}

function isKnown(parser: HttpParser | null | undefined): parser is Required<HttpParser> {
  return (
    typeof parser?.unconsume === 'function' &&
    typeof parser.remove === 'function' &&
    typeof parser.close === 'function'
  );
}
