import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createParser } from 'eventsource-parser';
import { HttpReader, type RawHead } from './http-reader.js';
import { DEADLINE_MS, Inbox, withResolvers } from './inbox.js';

/** A request, byte for byte: nothing is normalised, added (but what frames the body) or left out. */
export interface RawRequest {
  readonly port: number;
  readonly host?: string;
  /** The authority, as PEM, that signed for the other side: the request goes over TLS. */
  readonly ca?: string;
  /** The address of this machine that it comes from. */
  readonly localAddress?: string;
  readonly method?: string;
  /** As it stands in the request line. */
  readonly path: string;
  /** In order and as often as they are given; `Host` is added where it is missing. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Uint8Array;
}

export interface RawLimits {
  readonly deadlineMs?: number;
  readonly maxBytes?: number;
}

export interface RawResponse extends RawHead {
  readonly body: string;
}

/** Sends a request and reads the whole answer. */
export async function rawRequest(
  request: RawRequest,
  { deadlineMs = DEADLINE_MS, maxBytes = 1024 * 1024 }: RawLimits = {},
): Promise<RawResponse> {
  const { promise, resolve, reject } = withResolvers<RawResponse>();
  const body: Buffer[] = [];
  const received = { bytes: 0 };
  const socket = open(request);
  const reader = new HttpReader({
    onBody: (bytes) => body.push(Buffer.from(bytes)),
    onEnd: (head) => resolve({ ...head, body: Buffer.concat(body).toString() }),
    isHeadRequest: request.method === 'HEAD',
  });
  const timer = setTimeout(() => {
    reject(new Error(`no whole answer to ${request.path} within ${deadlineMs} ms`));
  }, deadlineMs);
  socket.on('data', (bytes) => {
    received.bytes += bytes.length;
    if (received.bytes > maxBytes) reject(new Error(`an answer of more than ${maxBytes} bytes`));
    else attempt(() => reader.feed(bytes), reject);
  });
  socket.on('end', () => attempt(() => reader.finish(), reject));
  socket.on('error', reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** What a stream brought, in the order it came: events, comments, retries. */
export type Received =
  | { readonly kind: 'event'; readonly event: string; readonly id?: string; readonly data: string }
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'retry'; readonly ms: number };

/** An event of a stream, its data parsed. */
export interface ReceivedEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** A stream that is kept open. Use it with `using`. */
export class RawStream implements Disposable {
  readonly received = new Inbox<Received>('a frame of the stream');
  readonly #socket: Socket;
  readonly #head = withResolvers<RawHead>();
  readonly #ended = withResolvers<'end' | 'cut'>();

  constructor(request: RawRequest) {
    const parser = createParser({
      onEvent: ({ event = 'message', id, data }) =>
        this.received.push({ kind: 'event', event, data, ...(id !== undefined && { id }) }),
      onComment: (text) => this.received.push({ kind: 'comment', text }),
      onRetry: (ms) => this.received.push({ kind: 'retry', ms }),
    });
    const decoder = new TextDecoder();
    const reader = new HttpReader({
      onHead: this.#head.resolve,
      onBody: (bytes) => parser.feed(decoder.decode(bytes, { stream: true })),
      onEnd: () => this.#finish('end', 'it ended'),
    });
    this.#head.promise.catch(() => {});
    this.#socket = open({
      ...request,
      headers: [['Accept', 'text/event-stream'], ...(request.headers ?? [])],
    });
    const fail = (error: Error) => this.#finish('cut', error.message);
    this.#socket.on('data', (bytes) => attempt(() => reader.feed(bytes), fail));
    this.#socket.on('end', () => attempt(() => reader.finish(), fail));
    this.#socket.on('error', fail).on('close', () => this.#finish('cut', 'it was closed'));
  }

  /** Opens a stream; resolves with its head read. */
  static async open(request: RawRequest, deadlineMs = DEADLINE_MS): Promise<RawStream> {
    const stream = new RawStream(request);
    const timer = setTimeout(() => stream.#socket.destroy(), deadlineMs);
    try {
      await stream.#head.promise;
      return stream;
    } catch (error) {
      stream[Symbol.dispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get head(): Promise<RawHead> {
    return this.#head.promise;
  }

  /** How the stream ended: as HTTP says (`end`), or torn. */
  get ended(): Promise<'end' | 'cut'> {
    return this.#ended.promise;
  }

  /** The next event, or the next of that name, behind the one that was given before. */
  async next(name?: string, deadlineMs = DEADLINE_MS): Promise<ReceivedEvent> {
    const received = await this.received.next(
      (item) => item.kind === 'event' && (name === undefined || item.event === name),
      deadlineMs,
    );
    if (received.kind !== 'event') throw new Error('not an event');
    return {
      event: received.event,
      id: received.id,
      data: JSON.parse(received.data) as unknown,
    };
  }

  /** The next comment behind what was given before. */
  async nextComment(deadlineMs = DEADLINE_MS): Promise<string> {
    const received = await this.received.next(({ kind }) => kind === 'comment', deadlineMs);
    return received.kind === 'comment' ? received.text : '';
  }

  /** Stops reading: what the service writes piles up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #finish(how: 'end' | 'cut', reason: string): void {
    this.#head.reject(new Error(`no answer: ${reason}`));
    this.#ended.resolve(how);
    this.received.close(reason);
  }
}

function open(request: RawRequest): Socket {
  const { port, host = '127.0.0.1', method = 'GET', path, headers = [], body } = request;
  const bytes = body === undefined ? null : Buffer.from(body);
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(names.has('host') ? [] : [`Host: ${host}:${port}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(bytes === null || names.has('content-length') || names.has('transfer-encoding')
      ? []
      : [`Content-Length: ${bytes.length}`]),
  ];
  const { ca, localAddress } = request;
  const target = { port, host, ...(localAddress !== undefined && { localAddress }) };
  const socket = (ca === undefined ? connect(target) : connectTls({ ...target, ca })).setNoDelay();
  // latin1: what a test writes as \u00ff is the byte FF.
  socket.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
  if (bytes !== null) socket.write(bytes);
  return socket;
}

function attempt(action: () => void, onError: (error: Error) => void): void {
  try {
    action();
  } catch (error) {
    onError(error instanceof Error ? error : new Error(String(error)));
  }
}
