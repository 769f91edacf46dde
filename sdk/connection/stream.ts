import {
  type Frame,
  parseCursor,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import { AbortScope } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import { errorOfProblem } from '../transport/refusal.js';
import type { StreamListener, StreamRequest, Transport } from '../transport/transport.js';
import { clampWait } from './backoff.js';
import { ResumePoint } from './resume-point.js';
import { readStreamItem } from './stream-item.js';

/** Who hears what a stream says. */
export interface StreamHandlers {
  onServerTime(serverTimeMs: number): void;
  onActivity(): void;
  onConnected(connected: StreamConnected): void;
  onEvent(event: RealtimeEvent, cursor: string): void;
  /** @param cursor where the stream goes on */
  onGap(gap: StreamGap, cursor: string): void;
  onTokenExpiring(): void;
  /** The stream's `retry:`, in milliseconds. */
  onRetry(retryMs: number): void;
}

/** Milliseconds within which the service must have said `stream.connected`. */
const OPENING_DEADLINE_MS = 15_000;

/** The reason of the abort by which a draining stream is left when its time has come. */
const DRAINED = Symbol('drained');

/** One stream, from its request to its end: reads its frames, knows how far it has come, watches its heartbeat. */
export class Stream implements StreamListener {
  readonly request: StreamRequest;
  readonly #position: ResumePoint;
  readonly #heartbeatTimeoutMs: number;
  readonly #handlers: StreamHandlers;
  readonly #scope: AbortScope;
  #disarmWatchdog = (): void => {};
  #disarmOpening: (() => void) | null = null;
  /** What the service said when it let this stream in, until it is handed on. */
  #opening: StreamConnected | null = null;
  /** When this client shall come back, on the clock of `performance`; `null` while the service is not draining. */
  #reconnectAt: number | null = null;

  constructor(
    request: StreamRequest,
    heartbeatTimeoutMs: number,
    handlers: StreamHandlers,
    signal: AbortSignal,
  ) {
    this.request = request;
    this.#position = new ResumePoint(request.lastEventId);
    this.#heartbeatTimeoutMs = heartbeatTimeoutMs;
    this.#handlers = handlers;
    this.#scope = new AbortScope(signal);
  }

  /** How far it has come: where the next stream resumes. */
  get cursor(): string | null {
    return this.#position.cursor;
  }

  /**
   * Resolves to the milliseconds after which the next stream is due, once a draining service has let this one go.
   * @throws RealtimeError for every other end; the reason of the abort if the connection has called the stream off.
   */
  async run(transport: Transport): Promise<number> {
    this.#disarmOpening = this.#scope.abortAfter(
      OPENING_DEADLINE_MS,
      () =>
        new RealtimeError('NETWORK_ERROR', {
          message: `The service did not let the stream in within ${OPENING_DEADLINE_MS} ms`,
        }),
    );
    try {
      await transport.run(this.request, this, this.#scope.signal);
      throw new RealtimeError('NETWORK_ERROR', { message: 'The stream ended without a word' });
    } catch (error) {
      if (error === DRAINED) return 0;
      if (this.#reconnectAt === null || !isEndOfService(error)) throw error;
      return Math.max(this.#reconnectAt - performance.now(), error.retryAfterMs ?? 0, 0);
    } finally {
      this.#scope.end();
    }
  }

  onServerTime(serverTimeMs: number): void {
    this.#handlers.onServerTime(serverTimeMs);
  }

  onActivity(): void {
    this.#disarmWatchdog();
    this.#disarmWatchdog = this.#scope.abortAfter(
      this.#heartbeatTimeoutMs,
      () =>
        new RealtimeError('HEARTBEAT_TIMEOUT', {
          message: `Nothing came in for ${this.#heartbeatTimeoutMs} ms`,
        }),
    );
    this.#handlers.onActivity();
  }

  onFrame(frame: Frame): void {
    if (frame.retry !== undefined) this.#handlers.onRetry(frame.retry);
    if (frame.data === undefined) {
      if (frame.id !== undefined) this.#position.advance(frame.id);
      return;
    }
    const item = readStreamItem(frame.event, frame.data);
    const id = frame.id ?? '';
    if (item.name === 'event') this.#onEvent(item.data, id);
    else if (item.name === 'stream.connected') this.#onConnected(item.data, id);
    else if (item.name === 'stream.gap') this.#onGap(item.data, id);
    else this.#position.advance(id);

    if (item.name === 'stream.token_expiring') this.#handlers.onTokenExpiring();
    else if (item.name === 'stream.draining') this.#onDraining(item.data.reconnectInMs);
    else if (item.name === 'stream.error') throw errorOfProblem(item.data, [this.request.token]);
  }

  /** A stream that begins with a gap counts as let in once that is told: before, nobody knows where it goes on. */
  #onConnected(connected: StreamConnected, id: string): void {
    this.#opening = connected;
    if (connected.resumed === 'gap') return;
    this.#position.advance(id);
    this.#letIn();
  }

  #onGap(gap: StreamGap, id: string): void {
    this.#position.moveTo(id);
    this.#letIn();
    this.#handlers.onGap(gap, id);
  }

  #letIn(): void {
    const connected = this.#opening;
    if (connected === null) return;
    this.#opening = null;
    this.#disarmOpening?.();
    this.#disarmOpening = null;
    this.#handlers.onConnected(connected);
  }

  #onEvent(event: RealtimeEvent, cursor: string): void {
    // Without a cursor there is no promise that nothing comes twice; before `stream.connected`, nobody to hand it on to.
    if (parseCursor(cursor) === null || this.#disarmOpening !== null) {
      throw new RealtimeError('PROTOCOL_ERROR', {
        message: 'The service sent an event without a cursor, or before it let the stream in',
      });
    }
    if (this.#position.advance(cursor)) this.#handlers.onEvent(event, cursor);
  }

  /** Events keep flowing until the time has come or the service goes, whichever is first. */
  #onDraining(reconnectInMs: number): void {
    const waitMs = clampWait(reconnectInMs);
    this.#reconnectAt = performance.now() + waitMs;
    this.#scope.abortAfter(waitMs, () => DRAINED);
  }
}

/** How a service that goes down ends its streams: it cuts them, or says so first. Neither is news once it drains. */
function isEndOfService(error: unknown): error is RealtimeError {
  return (
    error instanceof RealtimeError &&
    (error.code === 'NETWORK_ERROR' || error.code === 'UNAVAILABLE')
  );
}
