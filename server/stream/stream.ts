import type { Writable } from 'node:stream';
import type { SpanContext } from '@opentelemetry/api';
import {
  type ControlEventName,
  type ControlEvents,
  encodeFrame,
  type Frame,
  formatCursor,
  isTerminal,
  problemOf,
  type ServiceErrorCode,
  TERMINAL_RETRY_MS,
} from '@sluice/protocol';
import type { Filter } from '../hub/filter.js';
import type { Follower, FollowerHost, Gap } from '../hub/follower.js';

/** How long a socket may take to accept the last frame of a stream that ends, before it is destroyed. */
const CLOSE_GRACE_MS = 1_000;
/** A slow reader gets longer, since what it has not read yet stands before the last frame. */
const SLOW_CLOSE_GRACE_MS = 5_000;

/** How long before the end of its token a stream is told, at the most; never before four fifths of its life. */
const WARNING_LEAD_MS = 60_000;

const EMPTY = Buffer.alloc(0);

/** Why a stream ended that the service did not end. */
const LEFT = 'The client closed the connection.';
const BROKEN = 'The connection broke.';

/** What is told of a stream when it has ended. */
export interface StreamEnd {
  /** Why the service ended it; `null` where the client or the network did. */
  readonly code: ServiceErrorCode | null;
  /** The same for people. */
  readonly reason: string;
  readonly bytes: number;
  /** Handed over to the socket. */
  readonly events: number;
  readonly openedAt: number;
}

export interface StreamOptions {
  readonly workspace: string;
  readonly filter: Filter;
  /** Offset from which it walks. */
  readonly cursor: number;
  /** When its token ends, in seconds since 1970. */
  readonly expiresAt: number;
  readonly subject: string;
  readonly issuer: string;
  /** What its token is called in logs. */
  readonly tokenHash: string | null;
  readonly requestId: string;
  readonly admission: HeldAdmission;
  /** The trace of its opening; `null` where none is recorded. */
  readonly trace: SpanContext | null;
}

/** The right of the stream to be open, which it gives back when it ends. */
export interface HeldAdmission {
  release(): void;
}

export type OnClose = (stream: Stream, end: StreamEnd) => void;

/** One open SSE connection whose head has been sent. */
export class Stream implements Follower {
  readonly workspace: string;
  readonly expiresAt: number;
  filter: Filter;
  cursor: number;
  position = -1;
  mark = Number.POSITIVE_INFINITY;
  laggingSince = 0;
  host: FollowerHost | null = null;
  blockedSince = 0;
  isClosed = false;

  private bytes = 0;
  private events = 0;
  endCode: StreamEnd['code'] = null;
  private reason = LEFT;
  private onDrained: (() => void)[] | null = null;
  private readonly openedAt = Date.now();
  readonly subject: string;
  readonly issuer: string;
  readonly tokenHash: string | null;
  readonly requestId: string;
  readonly admission: HeldAdmission;
  readonly trace: SpanContext | null;

  constructor(
    private readonly sink: Writable,
    options: StreamOptions,
    onClose: OnClose,
  ) {
    this.workspace = options.workspace;
    this.filter = options.filter;
    this.cursor = options.cursor;
    this.expiresAt = options.expiresAt;
    this.subject = options.subject;
    this.issuer = options.issuer;
    this.tokenHash = options.tokenHash;
    this.requestId = options.requestId;
    this.admission = options.admission;
    this.trace = options.trace;
    // HTTP sockets are half-open: without this, each client that leaves would leave a socket behind.
    sink.on('end', destroyIt);
    sink.on('error', destroyIt);
    sink.on('close', (isBroken: unknown) => {
      this.isClosed = true;
      if (this.endCode === null && isBroken === true) this.reason = BROKEN;
      this.settleDrained();
      onClose(this, {
        code: this.endCode,
        reason: this.reason,
        bytes: this.bytes,
        events: this.events,
        openedAt: this.openedAt,
      });
    });
  }

  /** Not kept: it follows from the others, and there are very many streams. */
  get warnAt(): number {
    const expiresAtMs = this.expiresAt * 1_000;
    return expiresAtMs - Math.min(WARNING_LEAD_MS, (expiresAtMs - this.openedAt) / 5);
  }

  get waitingBytes(): number {
    return this.sink.writableLength;
  }

  write(frames: Buffer, events = 0): void {
    if (this.isClosed) return;
    this.events += events;
    this.sink.write(frames);
    this.handedOver(frames.length);
  }

  /** Counts what the sink was given, and notes whether it could take it. */
  handedOver(bytes: number): void {
    this.bytes += bytes;
    if (this.blockedSince > 0 || this.sink.writableLength === 0) return;
    this.blockedSince = Date.now();
    this.host?.onBlocked(this);
    // 'drain' is only told above the high-water mark; an empty write is told when all before it is taken.
    this.sink.write(EMPTY, () => {
      this.blockedSince = 0;
      this.settleDrained();
      this.host?.onDrained(this);
    });
  }

  drained(): Promise<void> {
    if (this.blockedSince === 0 || this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      this.onDrained ??= [];
      this.onDrained.push(resolve);
    });
  }

  tellGap({ from, epoch, resumesAt, oldest, reason }: Gap): void {
    const data = { from, oldest: formatCursor(epoch, oldest), reason };
    this.control('stream.gap', data, { id: formatCursor(epoch, resumesAt) });
  }

  warn(): void {
    if (this.isClosed) return;
    this.control('stream.token_expiring', { expiresAt: timeOf(this.expiresAt) }, {});
  }

  end(code: ServiceErrorCode, detail?: string): void {
    if (this.isClosed || this.endCode !== null) return;
    const problem = problemOf(code, {
      requestId: this.requestId,
      ...(detail !== undefined && { detail }),
    });
    this.control('stream.error', problem, isTerminal(code) ? { retry: TERMINAL_RETRY_MS } : {});
    this.reason = detail ?? problem.title;
    this.close(code, code === 'SLOW_CONSUMER' ? SLOW_CLOSE_GRACE_MS : CLOSE_GRACE_MS);
  }

  drain(reconnectInMs: number, retryMs?: number): void {
    if (this.isClosed) return;
    const fields = retryMs === undefined ? {} : { retry: retryMs };
    this.control('stream.draining', { reconnectInMs }, fields);
  }

  private control<Name extends ControlEventName>(
    event: Name,
    data: ControlEvents[Name],
    fields: Pick<Frame, 'id' | 'retry'>,
  ): void {
    this.write(Buffer.from(encodeFrame({ ...fields, event, data: JSON.stringify(data) })));
  }

  private close(code: ServiceErrorCode, graceMs: number): void {
    this.endCode = code;
    this.isClosed = true;
    this.settleDrained();
    this.sink.end();
    const timer = setTimeout(() => this.sink.destroy(), graceMs).unref();
    this.sink.once('close', () => clearTimeout(timer));
  }

  private settleDrained(): void {
    const waiting = this.onDrained ?? [];
    this.onDrained = null;
    for (const resolve of waiting) resolve();
  }
}

/** RFC 3339, of seconds since 1970. */
export function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}

/** One function for the listeners of all streams. */
function destroyIt(this: Writable): void {
  this.destroy();
}
