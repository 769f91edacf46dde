import type { StreamConnected } from '@sluice/protocol';
import { pause, untilAborted } from '../abort-scope.js';
import type { Token, TokenManager } from '../auth/token-manager.js';
import { RealtimeError, withRetry } from '../errors.js';
import type { Demand, SubscriptionSet } from '../subscription/subscription-set.js';
import type { Transport } from '../transport/transport.js';
import type { Retry } from './retry.js';
import type { ConnectionState } from './state.js';
import { Stream, type StreamHandlers } from './stream.js';

/** How long a stream may go on carrying what nobody wants any more, in case it is wanted again. */
const NARROW_AFTER_MS = 1_000;

export interface ConnectionOptions {
  /** Where the service is; asked anew for each stream. */
  readonly endpoint: () => string;
  readonly workspace: string;
  readonly transport: Transport;
  readonly tokens: TokenManager;
  readonly subscriptions: SubscriptionSet;
  readonly retry: Retry;
  readonly heartbeatTimeoutMs: number;
  /** Whether the machine knows itself to be without a network. */
  readonly isOffline: () => boolean;
  /** Called after each change of state. Must not throw. */
  readonly onState: () => void;
  /** A stream has shown a sign of life, and has come to this cursor. Must not throw. */
  readonly onActivity?: (cursor: string | null) => void;
}

/** The work that leads to a stream, one attempt after another, and goes on while that stream lives. */
type Life = AbortController;

/** What one attempt has come to have. */
interface Attempt {
  token?: Token;
  demand?: Demand;
}

/**
 * Keeps one stream alive: gets its token, opens it, and opens the next one where it broke (see ConnectionState). A new
 * stream that is wanted while one lives (another token, other topics) is opened beside it and takes over once it is let
 * in: make before break.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  /** The state of the work that leads to the next stream; hidden behind `connected` while one lives. */
  #phase: ConnectionState = 'idle';
  #told: ConnectionState = 'idle';
  #lastError: RealtimeError | null = null;
  /** Whose stream carries events. */
  #live: Life | null = null;
  /** Who works towards the next stream; `null` where none is wanted. */
  #next: Life | null = null;
  /** The stream that was let in last, and what the service said then. */
  #stream: Stream | null = null;
  #connected: StreamConnected | null = null;
  #connectedAt = 0;
  #narrowing: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#live === null ? this.#phase : 'connected';
  }

  /** Why the stream is down; `null` where it is not, or was never opened. */
  get lastError(): RealtimeError | null {
    return this.#lastError;
  }

  /** Opens the next stream at once, with the token and the subscriptions of now, whatever the state but `closed`. */
  open(): void {
    if (this.#phase === 'closed' || !this.#options.subscriptions.hasDemand) return;
    this.#next?.abort();
    const life = new AbortController();
    this.#next = life;
    this.#enter('authorizing');
    void this.#work(life);
  }

  /** As `open`, with another chance for the service, and for the subscriptions that it refused. */
  reopen(): void {
    this.#options.subscriptions.forgive();
    this.#options.retry.reset();
    this.open();
  }

  /** There is a newer token than the one that the live stream was opened with. */
  renew(): void {
    if (this.#live !== null) this.open();
  }

  /** The subscriptions have changed. */
  refresh(): void {
    const { subscriptions } = this.#options;
    if (this.#phase === 'closed') return;
    if (!subscriptions.hasDemand) {
      this.#lastError = subscriptions.refusal;
      this.#stop(subscriptions.size === 0 ? 'idle' : 'failed');
    } else if (this.#live !== null) queueMicrotask(() => this.#settle());
    // Otherwise the attempt that is under way, or the one after it, takes them along.
    else if (this.#phase === 'idle' || this.#phase === 'failed') this.open();
  }

  /** The surroundings are better than they were: no need to wait any longer. */
  wake(isNetworkNew: boolean): void {
    const isWaiting = this.#phase === 'reconnecting' || this.#phase === 'suspended';
    if (this.#live === null ? isWaiting && this.#options.retry.isDue : isNetworkNew) this.open();
  }

  /** The page is put away: no stream until `wake`. */
  suspend(): void {
    if (this.#live !== null || this.#next !== null) this.#stop('suspended');
  }

  /** For good. */
  close(): void {
    this.#stop('closed');
  }

  #stop(state: 'idle' | 'suspended' | 'failed' | 'closed'): void {
    const { subscriptions, tokens, transport, retry } = this.#options;
    this.#next?.abort();
    this.#next = null;
    this.#phase = state;
    tokens.rest();
    transport.rest?.();
    retry.reset();
    this.#leave(state === 'suspended');
    // Whoever subscribes next begins anew.
    if (subscriptions.size === 0) this.#stream = null;
    this.#tell();
  }

  /** Sees to it that the live stream carries what the subscriptions want: no less, and not for long more. */
  #settle(): void {
    const { subscriptions } = this.#options;
    clearTimeout(this.#narrowing);
    if (this.#live === null || this.#stream === null || this.#connected === null) return;
    const { cursor, request } = this.#stream;
    const demand = subscriptions.demand(cursor);
    const isCarried = isSame(demand, request) && demand.lastEventId === cursor;
    if (!subscriptions.hasWaiting) {
      if (!isCarried) this.#narrowing = setTimeout(() => this.open(), NARROW_AFTER_MS);
      return;
    }
    if (isCarried) subscriptions.admit(demand, this.#connected, cursor, cursor);
    // A stream that is on its way is let in first: restarting it at each change might never come to an end.
    if (subscriptions.hasWaiting && this.#next === null) this.open();
  }

  async #work(life: Life): Promise<void> {
    const { signal } = life;
    // What is subscribed to in the same turn goes into the same stream.
    await null;
    let waitMs: number | null = this.#options.retry.beforeToken();
    while (waitMs !== null) {
      if (waitMs > 0) await pause(waitMs, signal);
      if (signal.aborted) return;
      this.#enter('authorizing');
      waitMs = await this.#attempt(life);
    }
  }

  /** One stream, to its end. The milliseconds until the next one, or `null` where this life shall have none. */
  async #attempt(life: Life): Promise<number | null> {
    const { tokens, transport } = this.#options;
    const attempt: Attempt = {};
    try {
      attempt.token = await untilAborted(tokens.get(), life.signal);
      // What was waited for may have come in the same moment as the end of this life.
      life.signal.throwIfAborted();
      this.#enter('connecting');
      const stream = this.#streamFor(life, attempt.token, attempt);
      const drainMs = await stream.run(transport);
      life.signal.throwIfAborted();
      return this.#onDrained(life, drainMs);
    } catch (error) {
      return life.signal.aborted ? null : this.#onFailure(life, asRealtimeError(error), attempt);
    }
  }

  #streamFor(life: Life, token: Token, attempt: Attempt): Stream {
    const { tokens, subscriptions, retry, endpoint, workspace, heartbeatTimeoutMs } = this.#options;
    const { onActivity } = this.#options;
    const demand = subscriptions.demand(this.#stream?.cursor ?? null);
    attempt.demand = demand;
    const { topics, types, lastEventId } = demand;
    const handlers: StreamHandlers = {
      onServerTime: (serverTimeMs) => tokens.setServerTime(serverTimeMs),
      onActivity: () => onActivity?.(stream.cursor),
      onConnected: (connected) => {
        if (this.#live === life) return;
        tokens.accepted(token, connected.expiresAt);
        this.#takeOver(life, stream, demand, connected);
      },
      onEvent: (event, cursor) => subscriptions.onEvent(event, cursor),
      onGap: (gap, cursor) => subscriptions.onGap(gap, cursor),
      onTokenExpiring: () => tokens.renewAhead(token),
      onRetry: (retryMs) => retry.raise(retryMs),
    };
    const stream = new Stream(
      { endpoint: endpoint(), workspace, token: token.value, topics, types, lastEventId },
      heartbeatTimeoutMs,
      handlers,
      life.signal,
    );
    return stream;
  }

  /** The new stream is let in; the one before it, if it still lives, has done its work. */
  #takeOver(life: Life, stream: Stream, demand: Demand, connected: StreamConnected): void {
    const seen = this.#stream?.cursor ?? null;
    this.#live?.abort();
    this.#live = life;
    this.#next = null;
    this.#stream = stream;
    this.#connected = connected;
    this.#connectedAt = performance.now();
    this.#lastError = null;
    this.#options.retry.onConnected();
    this.#tell();
    this.#options.subscriptions.admit(demand, connected, stream.cursor, seen);
    // Some may have come or gone meanwhile, or could not begin together with the others.
    queueMicrotask(() => this.#settle());
  }

  /** The service goes down, and has let this client go for a while. */
  #onDrained(life: Life, drainMs: number): number | null {
    const { retry } = this.#options;
    retry.onEnd(performance.now() - this.#connectedAt);
    // The backoff keeps a service that drains again and again from being hammered.
    const waitMs = Math.max(drainMs, retry.afterFailure());
    if (this.#hasSuccessor(life)) return this.#handOver();
    this.#next = life;
    this.#phase = 'reconnecting';
    this.#leave(true);
    this.#tell();
    return waitMs;
  }

  #onFailure(life: Life, error: RealtimeError, { token, demand }: Attempt): number | null {
    const { subscriptions, tokens, transport, retry } = this.#options;
    const wasLive = this.#live === life;
    if (wasLive) retry.onEnd(performance.now() - this.#connectedAt);
    else if (demand !== undefined && isAboutDemand(error)) {
      if (subscriptions.isolate(demand, error)) return 0;
    }
    if (this.#hasSuccessor(life)) {
      // A stream that ends with its token, while the one with the next token is on its way, is no news.
      if (refusalOf(error) === null) subscriptions.onError(withRetry(error, true));
      return this.#handOver();
    }
    const waitMs = this.#waitAfter(error, token, wasLive);
    const told = withRetry(error, waitMs !== null);
    this.#next = waitMs === null ? null : life;
    this.#phase =
      waitMs === null ? 'failed' : this.#isOffline(error) ? 'suspended' : 'reconnecting';
    if (this.#live !== null && !wasLive && (waitMs !== null || token === undefined)) {
      // The live stream goes on while the next one, or a token for it, cannot be had.
      subscriptions.onErrorOfNext(told);
      return waitMs;
    }
    this.#lastError = told;
    if (waitMs === null) {
      tokens.rest();
      transport.rest?.();
    }
    this.#leave(waitMs !== null);
    this.#tell();
    // Last of all, since `setToken` may be called from within.
    subscriptions.onError(told);
    return waitMs;
  }

  /** The milliseconds to wait after a failure; `null` where going on by itself has no prospect. */
  #waitAfter(error: RealtimeError, token: Token | undefined, wasLive: boolean): number | null {
    const { tokens, retry } = this.#options;
    const refusal = refusalOf(error);
    if (refusal !== null && token !== undefined) {
      if (!wasLive) retry.onRefusal();
      return tokens.refused(token, refusal) ? retry.afterRenewal() : null;
    }
    if (!error.recoverable || !retry.isAllowed) return null;
    return this.#isOffline(error) ? retry.whileOffline() : retry.afterFailure(error.retryAfterMs);
  }

  /** Whether an error comes of the machine having no network; nobody has answered then. */
  #isOffline(error: RealtimeError): boolean {
    return error.status === undefined && this.#options.isOffline();
  }

  /** Whether somebody else works towards the next stream already. */
  #hasSuccessor(life: Life): boolean {
    return this.#next !== null && this.#next !== life;
  }

  /** The live stream has ended before the next one was let in, which is on its way. */
  #handOver(): null {
    this.#leave(true);
    this.#tell();
    return null;
  }

  /** The live stream is no more. */
  #leave(willReconnect: boolean): void {
    const live = this.#live;
    if (live === null) return;
    this.#live = null;
    clearTimeout(this.#narrowing);
    // Its work may go on, towards the next stream.
    if (live !== this.#next) live.abort();
    this.#options.subscriptions.leave(this.#stream?.cursor ?? null, willReconnect);
  }

  #enter(phase: ConnectionState): void {
    this.#phase = phase;
    this.#tell();
  }

  #tell(): void {
    const { state } = this;
    if (state === this.#told) return;
    this.#told = state;
    this.#options.onState();
  }
}

function isSame(demand: Demand, request: Pick<Demand, 'topics' | 'types'>): boolean {
  return (
    String(demand.topics) === String(request.topics) &&
    String(demand.types) === String(request.types)
  );
}

function refusalOf(error: RealtimeError): 'expired' | 'rejected' | null {
  if (error.code === 'TOKEN_EXPIRED') return 'expired';
  return error.code === 'INVALID_TOKEN' ? 'rejected' : null;
}

function isAboutDemand(error: RealtimeError): boolean {
  return error.code === 'FORBIDDEN' || error.code === 'INVALID_REQUEST';
}

/** Transports and token sources throw RealtimeErrors; whatever else comes is a fault of the SDK, and must not be lost. */
function asRealtimeError(thrown: unknown): RealtimeError {
  return thrown instanceof RealtimeError
    ? thrown
    : new RealtimeError('PROTOCOL_ERROR', { cause: thrown });
}
