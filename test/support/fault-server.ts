import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CONTENT_TYPES,
  encodeFrame,
  PARAMETERS,
  problemOf,
  type ServiceErrorCode,
  TERMINAL_RETRY_MS,
} from '@sluice/protocol';

/** How the fault server plays one request. What it leaves open stays open until the client goes. */
export type Fault = (response: ServerResponse, request: IncomingMessage) => void;

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Resolves when the connection of this request is over, whoever ended it. */
  readonly over: Promise<void>;
}

const EPOCH = '01JD3Z8Q';
/** Three bytes in UTF-8: something to cut through. */
const WIDE_CHARACTER = Buffer.from('€');

/** The cursor at `offset` of the log that the fault server pretends to have. */
export function cursorAt(offset: number): string {
  return `${EPOCH}-${offset}`;
}

export function eventAt(offset: number, data: unknown = offset): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: `event-${offset}`,
    source: '/workspaces/acme',
    type: 'record.updated',
    time: '2025-01-01T00:00:00Z',
    topic: 'orders',
    data,
  };
}

/** Frames as the service writes them. */
export const frames = {
  connected: (offset: number, resumed = 'fresh'): string =>
    encodeFrame({ retry: 1 }) +
    encodeFrame({
      id: cursorAt(offset),
      event: 'stream.connected',
      data: JSON.stringify({
        connectionId: 'c1',
        workspace: 'acme',
        subject: 'service:test',
        expiresAt: '2030-01-01T00:00:00Z',
        resumed,
      }),
    }),
  event: (offset: number, data?: unknown): string =>
    encodeFrame({ id: cursorAt(offset), data: JSON.stringify(eventAt(offset, data)) }),
  control: (event: string, data: unknown, id?: string): string =>
    encodeFrame({ ...(id !== undefined && { id }), event, data: JSON.stringify(data) }),
  error: (code: ServiceErrorCode, retryAfterMs?: number): string =>
    frames.control(
      'stream.error',
      problemOf(code, { requestId: 'r1', ...(retryAfterMs !== undefined && { retryAfterMs }) }),
    ),
  heartbeat: (offset?: number): string =>
    encodeFrame({ comment: 'ping', ...(offset !== undefined && { id: cursorAt(offset) }) }),
};

/** A stream that begins with `text` and stays open. */
export function stream(...text: string[]): Fault {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(text.join('') || frames.heartbeat());
  };
}

/** A stream that is cut behind `text`, without the end that HTTP wants. */
export function cutStream(...text: (string | Buffer)[]): Fault {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const bytes = Buffer.concat(text.map((part) => Buffer.from(part)));
    response.write(bytes, () => response.socket?.end());
  };
}

/** An answer that begins with `head` and goes on with `part` for as long as anybody reads it. */
function endless(code: number, contentType: string, part: string, head = ''): Fault {
  return (response) => {
    response.writeHead(code, { 'content-type': contentType });
    const writeNext = (text: string): void => {
      if (!response.destroyed) response.write(text, () => setImmediate(writeNext, part));
    };
    writeNext(head + part);
  };
}

export function status(code: number, headers: Record<string, string> = {}, body = ''): Fault {
  return (response) => {
    response.writeHead(code, headers).end(body);
  };
}

/** A refusal as the service writes it: with its status, or in the stream if `errors=stream` was asked for. */
export function refusal(code: ServiceErrorCode, httpStatus: number, retryAfterMs?: number): Fault {
  const problem = problemOf(code, {
    requestId: 'r1',
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
  const ordinary = status(
    httpStatus,
    { 'content-type': CONTENT_TYPES.problem },
    JSON.stringify(problem),
  );
  const inStream = status(
    200,
    { 'content-type': CONTENT_TYPES.eventStream },
    encodeFrame({ retry: TERMINAL_RETRY_MS }) + frames.error(code, retryAfterMs),
  );
  return (response, request) =>
    (parametersOf(request).has(PARAMETERS.errors) ? inStream : ordinary)(response, request);
}

/** A redirect to another address. */
export function redirect(location: string, code = 301): Fault {
  return status(code, { location });
}

export function streamTokenAnswer(streamToken: string): Fault {
  return status(201, { 'content-type': CONTENT_TYPES.json }, JSON.stringify({ streamToken }));
}

/** The parameters in the address of a request. */
export function parametersOf({ url }: { readonly url?: string | undefined }): URLSearchParams {
  return new URL(url ?? '', 'http://localhost').searchParams;
}

export function tokenAnswer(token: string, expiresIn = 3600): Fault {
  return status(
    200,
    { 'content-type': 'application/json' },
    JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: expiresIn }),
  );
}

/** Faults by name; `FaultServer.endpoint(name)` is the endpoint at which each is played. */
export const FAULTS = {
  stall: stream(frames.connected(0)),
  trickle: (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const bytes = Buffer.from(frames.connected(0) + frames.event(1, '€ in pieces'));
    let at = 0;
    const writeNext = (): void => {
      if (at < bytes.length)
        response.write(bytes.subarray(at, ++at), () => setImmediate(writeNext));
    };
    writeNext();
  },
  'cut-frame': cutStream(frames.connected(0), frames.event(1), frames.event(2).slice(0, -10)),
  'cut-character': cutStream(
    frames.connected(0),
    frames.event(1),
    `id: ${cursorAt(2)}\ndata: {"data":"`,
    WIDE_CHARACTER.subarray(0, 2),
  ),
  'slow-head': () => {},
  'no-content': status(204),
  'wrong-type': status(200, { 'content-type': 'text/html' }, '<p>Sign in, please</p>'),
  'unauthorized-stream': status(
    401,
    { 'content-type': 'text/event-stream' },
    frames.connected(0) + frames.event(1),
  ),
  'endless-frame': endless(
    200,
    'text/event-stream',
    'x'.repeat(65_536),
    `${frames.connected(0)}data: `,
  ),
  'endless-lines': endless(200, 'text/event-stream', `data: ${'x'.repeat(65_536)}\r\n`),
  'endless-refusal': endless(403, 'application/problem+json', ' '.repeat(8192)),
} satisfies Record<string, Fault>;

/** A service that misbehaves on purpose, over real sockets. */
export class FaultServer {
  readonly requests: SeenRequest[] = [];
  /** Requests for stream tokens, which are kept apart: a fault is about the stream. */
  readonly exchanges: SeenRequest[] = [];
  readonly #server: Server;
  readonly #script: Fault[] = [];
  readonly #exchangeScript: Fault[] = [];
  readonly #waiting: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FaultServer> {
    const server = createServer();
    const faultServer = new FaultServer(server);
    server.on('request', (request, response) => void faultServer.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return faultServer;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The endpoint at which every request meets this fault. */
  endpoint(fault: keyof typeof FAULTS): string {
    return `${this.origin}/${fault}`;
  }

  /** What the next requests at `scripted` get, one each, in this order; a request too many gets 410. */
  script(...faults: Fault[]): void {
    this.#script.push(...faults);
  }

  /** What the next requests for a stream token get, one each, in this order; all others get one. */
  scriptExchange(...faults: Fault[]): void {
    this.#exchangeScript.push(...faults);
  }

  get scripted(): string {
    return `${this.origin}/scripted`;
  }

  /** Resolves to request number `count`, once that many have come. */
  async request(count: number): Promise<SeenRequest> {
    return this.#nth(this.requests, count);
  }

  /** As `request`, of those for a stream token. */
  async exchange(count: number): Promise<SeenRequest> {
    return this.#nth(this.exchanges, count);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #nth(seen: readonly SeenRequest[], count: number): Promise<SeenRequest> {
    while (seen.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return seen[count - 1] as SeenRequest;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const over = new Promise<void>((resolve) => response.once('close', resolve));
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { method = '', url = '', headers } = request;
    if (url.endsWith('/stream-tokens')) {
      this.exchanges.push({ method, url, headers, body, over });
      const oneOfItsOwn = streamTokenAnswer(`one-time-${this.exchanges.length}`);
      (this.#exchangeScript.shift() ?? oneOfItsOwn)(response, request);
      this.#wake();
      return;
    }
    const route = url.split('/')[1] ?? '';
    const named = Object.entries(FAULTS).find(([name]) => name === route)?.[1];
    const fault = named ?? this.#script.shift() ?? status(410);
    this.requests.push({ method, url, headers, body, over });
    fault(response, request);
    this.#wake();
  }
}
