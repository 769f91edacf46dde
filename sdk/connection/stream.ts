import {
  type Frame,
  parseCursor,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import { AbortScope } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import { clampWait } from './backoff.js';
import { errorOfProblem } from './refusal.js';
import type { ResumePoint } from './resume-point.js';
import { readStreamItem } from './stream-item.js';
import type { StreamListener, StreamRequest, Transport } from './transport.js';

/** Who hears what a stream says. */
export interface StreamHandlers {
  onConnected(connected: StreamConnected): void;
  onEvent(event: RealtimeEvent, cursor: string): void;
  onGap(gap: StreamGap): void;
  onTokenExpiring(): void;
  /** The stream's `retry:`, in milliseconds. */
  onRetry(retryMs: number): void;
}

/** The reason of the abort by which a draining stream is left when its time has come. */
const DRAINED = Symbol('drained');

/** One stream, from its request to its end: reads its frames, moves the resume point, watches its heartbeat. */
export class Stream implements StreamListener {
  readonly #request: StreamRequest;
  readonly #resumePoint: ResumePoint;
  readonly #heartbeatTimeoutMs: number;
  readonly #handlers: StreamHandlers;
  readonly #scope: AbortScope;
  #disarmWatchdog = (): void => {};
  /** When this client shall come back, on the clock of `performance`; `null` while the service is not draining. */
  #reconnectAt: number | null = null;

  constructor(
    request: StreamRequest,
    resumePoint: ResumePoint,
    heartbeatTimeoutMs: number,
    handlers: StreamHandlers,
    signal: AbortSignal,
  ) {
    this.#request = request;
    this.#resumePoint = resumePoint;
    this.#heartbeatTimeoutMs = heartbeatTimeoutMs;
    this.#handlers = handlers;
    this.#scope = new AbortScope(signal);
  }

  /**
   * Resolves to the milliseconds after which the next stream is due, once a draining service has let this one go.
   * @throws RealtimeError for every other end; the reason of the abort if the connection has called the stream off.
   */
  async run(transport: Transport): Promise<number> {
    try {
      await transport.run(this.#request, this, this.#scope.signal);
      throw new RealtimeError('NETWORK_ERROR', { message: 'The stream ended without a word' });
    } catch (error) {
      if (error === DRAINED) return 0;
      if (this.#reconnectAt === null || !isEndOfService(error)) throw error;
      return Math.max(this.#reconnectAt - performance.now(), error.retryAfterMs ?? 0, 0);
    } finally {
      this.#scope.end();
    }
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
  }

  onFrame(frame: Frame): void {
    if (frame.retry !== undefined) this.#handlers.onRetry(frame.retry);
    if (frame.data === undefined) {
      if (frame.id !== undefined) this.#resumePoint.advance(frame.id);
      return;
    }
    const item = readStreamItem(frame.event, frame.data);
    const id = frame.id ?? '';
    if (item.name === 'event') this.#onEvent(item.data, id);
    else if (item.name === 'stream.gap') this.#resumePoint.moveTo(id);
    // Before a gap has been told, a stream that is cut must not resume behind it.
    else if (item.name !== 'stream.connected' || item.data.resumed !== 'gap') {
      this.#resumePoint.advance(id);
    }

    if (item.name === 'stream.connected') this.#handlers.onConnected(item.data);
    else if (item.name === 'stream.gap') this.#handlers.onGap(item.data);
    else if (item.name === 'stream.token_expiring') this.#handlers.onTokenExpiring();
    else if (item.name === 'stream.draining') this.#onDraining(item.data.reconnectInMs);
    else if (item.name === 'stream.error') throw errorOfProblem(item.data, [this.#request.token]);
  }

  #onEvent(event: RealtimeEvent, cursor: string): void {
    if (parseCursor(cursor) === null) {
      // Handing it on would give up the promise that nothing comes twice.
      throw new RealtimeError('PROTOCOL_ERROR', {
        message: 'The service sent an event without a cursor',
      });
    }
    if (this.#resumePoint.advance(cursor)) this.#handlers.onEvent(event, cursor);
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
