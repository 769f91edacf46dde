import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SpanContext } from '@opentelemetry/api';
import { encodeFrame, formatCursor, type StreamConnected } from '@sluice/protocol';
import { spreadRetryMs } from '../errors.js';
import type { Filter } from '../hub/filter.js';
import type { Start } from '../hub/start.js';
import { setStreamHeaders } from './head.js';
import { type HeldAdmission, type OnClose, Stream, timeOf } from './stream.js';
import { takeOver } from './take-over.js';

export interface Opening {
  readonly workspace: string;
  readonly subject: string;
  readonly issuer: string;
  /** What the token is called in logs. */
  readonly tokenHash: string | null;
  /** When the token ends, in seconds since 1970. */
  readonly expiresAt: number;
  readonly filter: Filter;
  readonly requestId: string;
  readonly admission: HeldAdmission;
  /** Mean delay in ms before a native EventSource connects anew. */
  readonly retryMs: number;
  /** The trace of the request; `null` where none is recorded. */
  readonly trace: SpanContext | null;
}

/** Sends the head and the first frames; `null` if the client has gone meanwhile. */
export function openStream(
  request: IncomingMessage,
  response: ServerResponse,
  opening: Opening,
  start: Start,
  onClose: OnClose,
): Stream | null {
  if (response.socket === null || response.socket.destroyed) return null;
  const { socket } = response;
  const frame = connectedFrame(opening, start);
  // Head and first frames in one write. Without the cork `node:http` would put it off to the end of the turn.
  socket.cork();
  writeHead(response);
  response.write(frame);
  const sink = takeOver(request, response);
  const stream = new Stream(sink, { ...opening, cursor: start.offset }, onClose);
  if (start.gap !== null) stream.tellGap(start.gap);
  socket.uncork();
  stream.handedOver(Buffer.byteLength(frame));
  return stream;
}

/**
 * The body ends with the connection (RFC 9112, section 6.3, item 8), not with a chunk, so that frames can be written
 * to the socket as they are.
 */
function writeHead(response: ServerResponse): void {
  setStreamHeaders(response);
  response.setHeader('Connection', 'close');
  response.removeHeader('Transfer-Encoding');
  response.writeHead(200);
}

function connectedFrame(opening: Opening, { epoch, offset, resumed }: Start): string {
  const connected: StreamConnected = {
    connectionId: randomUUID(),
    workspace: opening.workspace,
    subject: opening.subject,
    expiresAt: timeOf(opening.expiresAt),
    resumed,
  };
  return encodeFrame({
    // Each client gets a delay of its own, so that those that lose a node together do not return together.
    retry: spreadRetryMs(opening.retryMs),
    // After a gap, `stream.gap` brings the cursor: a client cut before it must not resume as if nothing were missing.
    ...(resumed !== 'gap' && { id: formatCursor(epoch, offset) }),
    event: 'stream.connected',
    data: JSON.stringify(connected),
  });
}
