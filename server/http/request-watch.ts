import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { NextFunction, Request, Response } from 'express';
import type { Log } from '../ops/log.js';
import { runWithin, startRequestSpan } from '../ops/tracing.js';
import { addressOf } from './request.js';
import { newRequestId, requestIdOf } from './request-id.js';
import { RequestRecord } from './request-record.js';
import { routeOf } from './route-of.js';

// Both are kept where they belong. A WeakMap would do the same, but what it holds outlives the collections of young objects,
// and each request would be moved among the old ones.
const RECORD = Symbol('the record of a request');
/** What is known of a connection, until a stream takes it over. */
const CONNECTION = Symbol('what is known of a connection');

interface Watched {
  [RECORD]?: RequestRecord;
}

interface WatchedSocket {
  [CONNECTION]?: Connection | null;
}

interface Connection {
  /** What had come and gone when its last line was written. */
  in: number;
  out: number;
  /** Requests without a line, by their answers. */
  readonly unwritten: Map<ServerResponse, IncomingMessage>;
}

/** What is told of a request; `undefined` where nobody watches. */
export function recordOf(response: ServerResponse & Watched): RequestRecord | undefined {
  return response[RECORD];
}

/** Whether a part of an answer has been sent, and the rest is to come. */
export function isBeingAnswered(socket: Duplex & WatchedSocket): boolean {
  // Of answers to pipelined requests, the first is on its way.
  const [response] = socket[CONNECTION]?.unwritten.keys() ?? [];
  return response?.headersSent === true && !response.writableFinished;
}

export interface RequestWatchOptions {
  readonly log: Log;
  /** Whether the address of the client is told. */
  readonly tellsAddress: boolean;
}

/** Sees every request once, and writes one line and one span of it when it is answered or given up. */
export class RequestWatch {
  constructor(private readonly options: RequestWatchOptions) {}

  /** Begins to watch a request; does nothing if it is watched already. */
  observe(request: IncomingMessage, response: ServerResponse & Watched): RequestRecord {
    const known = response[RECORD];
    if (known !== undefined) return known;
    const { log, tellsAddress } = this.options;
    const { method = '', headers, url = '' } = request;
    const { route, workspace } = routeOf(url);
    const span = startRequestSpan(headers, method, route);
    const address = tellsAddress ? addressOf(request as Request) : null;
    const record = new RequestRecord({ method, route, workspace, address, span }, log);
    response[RECORD] = record;
    connectionOf(request.socket).unwritten.set(response, request);
    response.once('close', () => writeEnd(request, response));
    return record;
  }

  /** For Express. */
  readonly handler = (request: Request, response: Response, next: NextFunction): void => {
    runWithin(this.observe(request, response).span, next);
  };
}

/** Writes the line of a stream, whose answer goes on when its request is done. */
export function writeOpening(request: IncomingMessage, response: ServerResponse): void {
  const socket: Socket & WatchedSocket = request.socket;
  recordOf(response)?.write(endOf(response, socket, 200), 'stream opened');
  // Where the socket could not be taken over, the answer is under way for as long as the stream.
  if (response.socket !== null) return;
  // It lives as long as its stream, which keeps nothing of its request.
  // Not deleted: that would make the socket slow.
  socket[CONNECTION] = null;
  socket.off('close', abandonAll);
}

function writeEnd(request: IncomingMessage, response: ServerResponse): void {
  const socket: Socket & WatchedSocket = request.socket;
  const isAnswered = response.writableFinished;
  const end = endOf(response, socket, isAnswered ? response.statusCode : null);
  recordOf(response)?.write(end);
  socket[CONNECTION]?.unwritten.delete(response);
}

/** Of answers whose turn had not come, Node tells nobody. One function for all connections: each keeps it for its life. */
function abandonAll(this: Socket & WatchedSocket): void {
  for (const [response, request] of this[CONNECTION]?.unwritten ?? []) {
    writeEnd(request, response);
  }
}

function endOf(response: ServerResponse, socket: Socket & WatchedSocket, status: number | null) {
  const before = socket[CONNECTION] ?? { in: 0, out: 0 };
  const { bytesRead, bytesWritten } = socket;
  const [bytesIn, bytesOut] = [bytesRead - before.in, bytesWritten - before.out];
  before.in = bytesRead;
  before.out = bytesWritten;
  return { status, requestId: requestIdOf(response) || newRequestId(), bytesIn, bytesOut };
}

function connectionOf(socket: Socket & WatchedSocket): Connection {
  const known = socket[CONNECTION];
  if (known != null) return known;
  const connection: Connection = { in: 0, out: 0, unwritten: new Map() };
  socket[CONNECTION] = connection;
  socket.on('close', abandonAll);
  return connection;
}
