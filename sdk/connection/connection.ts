import type { RealtimeEvent, StreamConnected, StreamGap } from '@sluice/protocol';
import { pause, untilAborted } from '../abort-scope.js';
import type { Token, TokenManager } from '../auth/token-manager.js';
import { RealtimeError, withRetry } from '../errors.js';
import { type Backoff, backoffMs, raiseBackoff } from './backoff.js';
import { ResumePoint } from './resume-point.js';
import type { ConnectionState } from './state.js';
import { Stream, type StreamHandlers } from './stream.js';
import type { Transport } from './transport.js';

/** A stream that lasted this long, in milliseconds, was no failure: the backoff begins anew after it. */
const HEALTHY_MS = 10_000;

/** Who hears of a connection. Nothing that it does may throw. */
export interface ConnectionListener {
  onConnected(connected: StreamConnected): void;
  onDisconnected(willReconnect: boolean): void;
  onEvent(event: RealtimeEvent, cursor: string): void;
  onGap(gap: StreamGap): void;
  /** Called last of all when a stream ends: `setToken` may be called from within. */
  onError(error: RealtimeError): void;
}

export interface ConnectionOptions {
  readonly transport: Transport;
  readonly tokens: TokenManager;
  readonly backoff: Backoff;
  readonly heartbeatTimeoutMs: number;
  readonly topics: readonly string[];
  readonly types: readonly string[];
  readonly lastEventId: string | null;
  readonly listener: ConnectionListener;
}

/** Keeps one stream alive: gets its token, opens it, and opens the next one where it broke (see ConnectionState). */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #resumePoint: ResumePoint;
  #backoff: Backoff;
  #state: ConnectionState = 'idle';
  /** Ends all that was begun by the last `open()`. */
  #life = new AbortController();
  #failures = 0;
  #connectedAt = 0;
  /** Whether the token was renewed since the last stream that was let in: a second refusal in a row is final. */
  #hasRenewed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#backoff = options.backoff;
    this.#resumePoint = new ResumePoint(options.lastEventId);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Opens the stream, or opens it anew at once with the token of now, whatever the state but `closed`. */
  open(): void {
    if (this.#state === 'closed') return;
    this.#life.abort();
    this.#life = new AbortController();
    const { signal } = this.#life;
    this.#enter('authorizing', true);
    // The listener may have opened or closed the connection meanwhile.
    if (!signal.aborted) void this.#live(signal);
  }

  /** For good. The listener hears nothing after this. */
  close(): void {
    this.#state = 'closed';
    this.#life.abort();
  }

  async #live(signal: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = await this.#attempt(signal);
      if (signal.aborted || waitMs === null) return;
      await pause(waitMs, signal);
      if (signal.aborted) return;
      this.#enter('authorizing', true);
    }
  }

  /** One stream, to its end. The milliseconds until the next one, or `null` where there shall be none. */
  async #attempt(signal: AbortSignal): Promise<number | null> {
    const { tokens, transport, topics, types, heartbeatTimeoutMs } = this.#options;
    let token: Token | null = null;
    try {
      token = await untilAborted(tokens.get(), signal);
      this.#enter('connecting', true);
      const request = {
        token: token.value,
        topics,
        types,
        lastEventId: this.#resumePoint.cursor,
      };
      const handlers = this.#handlersFor(token, signal);
      const stream = new Stream(request, this.#resumePoint, heartbeatTimeoutMs, handlers, signal);
      const waitMs = await stream.run(transport);
      this.#enter('reconnecting', true);
      // The backoff keeps a service that drains again and again from being hammered.
      return Math.max(waitMs, this.#nextBackoffMs());
    } catch (error) {
      return signal.aborted ? null : this.#onFailure(error, token);
    }
  }

  #handlersFor(token: Token, signal: AbortSignal): StreamHandlers {
    const { listener } = this.#options;
    return {
      onConnected: (connected) => {
        this.#connectedAt = performance.now();
        this.#hasRenewed = false;
        this.#state = 'connected';
        listener.onConnected(connected);
      },
      onEvent: (event, cursor) => listener.onEvent(event, cursor),
      onGap: (gap) => listener.onGap(gap),
      onTokenExpiring: () => void this.#renewAhead(token, signal),
      onRetry: (retryMs) => {
        this.#backoff = raiseBackoff(this.#options.backoff, retryMs);
      },
    };
  }

  /** Moves to the next stream while the old token still lasts. */
  async #renewAhead(token: Token, signal: AbortSignal): Promise<void> {
    const { tokens } = this.#options;
    if (!tokens.canRenew) return;
    tokens.drop(token);
    try {
      await untilAborted(tokens.get(), signal);
    } catch {
      // The stream still lives. If there is no token when it ends, that is the time to say so.
      return;
    }
    // The stream may have ended meanwhile; then the next one has the new token anyway.
    if (!signal.aborted && this.#state === 'connected') this.open();
  }

  #onFailure(thrown: unknown, token: Token | null): number | null {
    const error = asRealtimeError(thrown);
    const isRenewal = token !== null && isRefusalOfToken(error) && this.#renew(token);
    const willRetry = isRenewal || (error.recoverable && !isRefusalOfToken(error));
    this.#enter(willRetry ? 'reconnecting' : 'failed', willRetry);
    const waitMs = willRetry ? this.#waitMs(error, isRenewal) : null;
    this.#options.listener.onError(withRetry(error, willRetry));
    return waitMs;
  }

  /** Sees to it that the next attempt has another token. False where there can be none, or where that did not help. */
  #renew(token: Token): boolean {
    if (!this.#options.tokens.canRenew || this.#hasRenewed) return false;
    this.#hasRenewed = true;
    this.#options.tokens.drop(token);
    return true;
  }

  #waitMs(error: RealtimeError, isRenewal: boolean): number {
    const isFirst = this.#failures === 0;
    const waitMs = Math.max(this.#nextBackoffMs(), error.retryAfterMs ?? 0);
    // A token that has run out says nothing against the service. If it happens again and again, something is wrong.
    return isRenewal && isFirst ? 0 : waitMs;
  }

  #nextBackoffMs(): number {
    return backoffMs(this.#failures++, this.#backoff, Math.random());
  }

  /** Enters a state without a stream, and tells of the stream that was there until now. */
  #enter(state: ConnectionState, willReconnect: boolean): void {
    const wasConnected = this.#state === 'connected';
    this.#state = state;
    if (!wasConnected) return;
    if (performance.now() - this.#connectedAt >= HEALTHY_MS) this.#failures = 0;
    this.#options.listener.onDisconnected(willReconnect);
  }
}

function isRefusalOfToken(error: RealtimeError): boolean {
  return error.code === 'TOKEN_EXPIRED' || error.code === 'INVALID_TOKEN';
}

/** Transports and token sources throw RealtimeErrors; whatever else comes is a fault of the SDK, and must not be lost. */
function asRealtimeError(thrown: unknown): RealtimeError {
  return thrown instanceof RealtimeError
    ? thrown
    : new RealtimeError('PROTOCOL_ERROR', { cause: thrown });
}
