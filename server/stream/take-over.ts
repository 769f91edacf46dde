import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/** What `node:http` keeps with a socket. None of it is documented, so each part is looked for before it is used. */
interface HttpParser {
  unconsume?: () => void;
  remove?: () => void;
  close?: () => void;
}
type HttpSocket = Socket & { parser?: HttpParser | null; _httpMessage?: unknown };

/** The listeners that `node:http` puts on a socket, and those of `net.Socket` that a write-only stream does without. */
const HTTP_EVENTS = ['data', 'end', 'close', 'drain', 'timeout', 'error'] as const;

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
  if (!isKnown(parser) || typeof response.detachSocket !== 'function') return response;

  response.detachSocket(socket);
  for (const event of HTTP_EVENTS) socket.removeAllListeners(event);
  // Restored by assignment: `delete` would turn the socket into a slow dictionary.
  socket.on = Socket.prototype.on;
  socket.addListener = Socket.prototype.addListener;
  socket.prependListener = Socket.prototype.prependListener;
  parser.unconsume();
  parser.remove();
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

function isKnown(parser: HttpParser | null | undefined): parser is Required<HttpParser> {
  return (
    typeof parser?.unconsume === 'function' &&
    typeof parser.remove === 'function' &&
    typeof parser.close === 'function'
  );
}
