// Longer than other files: one machine of states, whose steps all set the same few fields. In two files they would share them.

import type { StreamConnected } from '@sluice/protocol';
import { pause, untilAborted } from '../abort-scope.js';
import { RealtimeError, withRetry } from '../errors.js';
import type { Demand } from '../subscription/subscription-set.js';
import type { ConnectionState } from './state.js';
import { Stream, type StreamOptions } from './stream.js';

/** How long a stream may go on carrying what nobody wants any more, in case it is wanted again. */
const NARROW_AFTER_MS = 1_000;

export interface ConnectionOptions extends StreamOptions {
  /** Whether the machine knows itself to be without a network. */
  readonly isOffline: () => boolean;
  /** Called after each change of state. Must not throw. */
  readonly onState: () => void;
}

/** The work that leads to a stream, one attempt after another, and goes on while that stream lives. */
type Life = AbortController;

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
  /** The stream that was let in last. */
  #stream: Stream | null = null;
  /** Whether the page is put away, and wants no stream. */
  #isPutAway = false;
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

  /** As `#urge`, with another chance for the service, and for the subscriptions that it refused. */
  reopen(): void {
    this.#options.subscriptions.forgive();
    this.#options.retry.reset();
    this.#urge();
  }

  /** There is a newer token than the one that the live stream was opened with. */
  renew(): void {
    if (this.#live !== null) this.#open();
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
    else if (this.#phase === 'idle' || this.#phase === 'failed') this.#urge();
  }

  /** The machine has a network again, perhaps another one: the old connection may be dead without a word. */
  onNetwork(): void {
    if (this.#live === null) this.#hurry();
    else if (this.#next === null && this.#options.retry.isSettled) this.#open();
  }

  /** The page is put away: no stream until `resume`. */
  suspend(): void {
    this.#isPutAway = true;
    if (this.#live !== null || this.#next !== null) this.#stop('suspended');
  }

  /** The page is shown. */
  resume(): void {
    this.#isPutAway = false;
    if (this.#live === null) this.#hurry();
  }

  /** For good. */
  close(): void {
    this.#stop('closed');
  }

  /** No need to wait any longer than the service has asked for. */
  #hurry(): void {
    if (this.#phase === 'reconnecting' || this.#phase === 'suspended') this.#urge();
  }

  /** Opens the next stream as soon as whoever wants it may have it. */
  #urge(): void {
    const { retry } = this.#options;
    // Whose attempt is called off again and again is hammered too.
    if (this.#next !== null) retry.onMiss();
    if (this.#phase !== 'closed') this.#open(retry.beforeUrged());
  }

  /** Opens the next stream in `waitMs`, with the token and the subscriptions of then. */
  #open(waitMs = 0): void {
    const { subscriptions, retry } = this.#options;
    if (this.#phase === 'closed' || !subscriptions.hasDemand) return;
    this.#next?.abort();
    this.#next = null;
    if (this.#isPutAway) {
      this.#enter('suspended');
      return;
    }
    if (this.#live !== null) retry.onEnd();
    const life = new AbortController();
    this.#next = life;
    this.#enter(waitMs > 0 ? 'reconnecting' : 'authorizing');
    void this.#work(life, waitMs);
  }

  #stop(state: 'idle' | 'suspended' | 'failed' | 'closed'): void {
    this.#next?.abort();
    this.#next = null;
    this.#phase = state;
    if (state === 'idle') this.#isPutAway = false;
    this.#leave();
  }

  /** Sees to it that the live stream carries what the subscriptions want: no less, and not for long more. */
  #settle(): void {
    const { subscriptions } = this.#options;
    clearTimeout(this.#narrowing);
    const connected = this.#stream?.connected;
    if (!this.#live || !this.#stream || !connected) return;
    const { cursor } = this.#stream;
    const demand = subscriptions.demand(cursor);
    const isCarried = isSame(demand, this.#stream.demand) && demand.lastEventId === cursor;
    if (!subscriptions.hasWaiting) {
      if (!isCarried) this.#narrowing = setTimeout(() => this.#open(), NARROW_AFTER_MS);
      return;
    }
    if (isCarried) subscriptions.admit(demand, connected, cursor, cursor);
    // A stream that is on its way is let in first: restarting it at each change might never come to an end.
    if (subscriptions.hasWaiting && this.#next === null) this.#open();
  }

  async #work(life: Life, firstMs: number): Promise<void> {
    const { signal } = life;
    // What is subscribed to in the same turn goes into the same stream.
    await null;
    let waitMs: number | null = firstMs;
    while (waitMs !== null) {
      if (waitMs > 0) await pause(waitMs, signal);
      if (signal.aborted) return;
      this.#enter('authorizing');
      waitMs = await this.#attempt(life);
    }
  }

  /** One stream, to its end. The milliseconds until the next one, or `null` where this life shall have none. */
  async #attempt(life: Life): Promise<number | null> {
    const { tokens, subscriptions } = this.#options;
    const { signal } = life;
    let stream: Stream | null = null;
    try {
      const token = await untilAborted(tokens.get(), signal);
      // What was waited for may have come in the same moment as the end of this life.
      signal.throwIfAborted();
      this.#enter('connecting');
      const demand = subscriptions.demand(this.#stream?.cursor ?? null);
      stream = new Stream(this.#options, token, demand, signal, {
        onLetIn: (own, connected) => this.#takeOver(life, own, connected),
        onDue: () => this.#onDue(life),
      });
      const drainMs = await stream.run();
      signal.throwIfAborted();
      return this.#onDrained(life, drainMs);
    } catch (error) {
      return signal.aborted ? null : this.#onFailure(life, asRealtimeError(error), stream);
    }
  }

  /** The new stream is let in; the one before it, if it still lives, has done its work. */
  #takeOver(life: Life, stream: Stream, connected: StreamConnected): void {
    const { tokens, retry, subscriptions } = this.#options;
    const seen = this.#stream?.cursor ?? null;
    tokens.accepted(stream.token, connected.expiresAt);
    if (this.#live !== null) retry.onEnd();
    this.#live?.abort();
    this.#live = life;
    this.#next = null;
    this.#stream = stream;
    this.#lastError = null;
    retry.onConnected();
    this.#tell();
    subscriptions.admit(stream.demand, connected, stream.cursor, seen);
    // Some may have come or gone meanwhile, or could not begin together with the others.
    queueMicrotask(() => this.#settle());
  }

  /** The service goes down, and wants this client to move now. The live stream goes on until the next one is let in. */
  #onDue(life: Life): void {
    if (this.#live === life && this.#next === null) this.#open();
  }

  /** The service goes down, and has ended the stream before the next one could take over. */
  #onDrained(life: Life, waitMs: number): number | null {
    if (this.#hasSuccessor(life)) {
      this.#leave();
      return null;
    }
    this.#fallBack(life, 'reconnecting');
    return waitMs;
  }

  #onFailure(life: Life, error: RealtimeError, stream: Stream | null): number | null {
    const { subscriptions, retry } = this.#options;
    const wasLive = this.#live === life;
    retry.onMiss();
    if (wasLive) retry.onEnd();
    else if (stream !== null && isAboutDemand(error)) {
      const isOfAll = stream.demand.subscribers.every(({ isAdmitted }) => isAdmitted);
      const mayGoOn = subscriptions.isolate(stream.demand, error);
      if (life.signal.aborted) return null;
      if (mayGoOn) {
        // The live stream carries what is not permitted any more, to whom will be known in a moment.
        if (isOfAll) this.#fallBack(life, 'reconnecting');
        return 0;
      }
    }
    if (this.#hasSuccessor(life)) {
      // A stream that ends with its token, while the one with the next token is on its way, is no news.
      if (!isRefusal(error)) subscriptions.onError(withRetry(error, true));
      this.#leave();
      return null;
    }
    // Nobody has answered, and the machine has no network.
    const isOffline = error.status === undefined && this.#options.isOffline();
    const waitMs = this.#waitAfter(error, stream, isOffline);
    const told = withRetry(error, waitMs !== null);
    const phase = waitMs === null ? 'failed' : isOffline ? 'suspended' : 'reconnecting';
    const hasOtherToken = stream !== null && stream.token !== this.#stream?.token;
    if (this.#live !== null && !wasLive && (waitMs !== null || !hasOtherToken)) {
      // The live stream goes on while the next one cannot be had; but never under a token that is to be left.
      this.#next = waitMs === null ? null : life;
      this.#phase = phase;
      subscriptions.onError(told, true);
      return waitMs;
    }
    this.#lastError = told;
    this.#fallBack(waitMs === null ? null : life, phase);
    // Last of all, since `setToken` may be called from within.
    subscriptions.onError(told);
    return waitMs;
  }

  /** The milliseconds to wait after a failure; `null` where going on by itself has no prospect. */
  #waitAfter(error: RealtimeError, stream: Stream | null, isOffline: boolean): number | null {
    const { tokens, retry } = this.#options;
    if (stream !== null && isRefusal(error)) {
      const reason = error.code === 'TOKEN_EXPIRED' ? 'expired' : 'rejected';
      return tokens.refused(stream.token, reason) ? retry.afterRenewal() : null;
    }
    // Who has a stream goes on trying for the next one.
    const isAllowed = retry.isAllowed || (this.#live !== null && this.#stream !== stream);
    if (!error.recoverable || !isAllowed) return null;
    return isOffline ? retry.whileOffline() : retry.afterFailure(error.retryAfterMs);
  }

  /** Without a stream from now on; `life` works towards the next one, or nobody does. */
  #fallBack(life: Life | null, phase: ConnectionState): void {
    this.#next = life;
    this.#phase = phase;
    this.#leave();
  }

  /** Whether somebody else works towards the next stream already. */
  #hasSuccessor(life: Life): boolean {
    return this.#next !== null && this.#next !== life;
  }

  /** The live stream, if there is one, is no more; `#next` and `#phase` say what comes now. */
  #leave(): void {
    const { subscriptions, tokens, transport } = this.#options;
    const live = this.#live;
    this.#live = null;
    clearTimeout(this.#narrowing);
    if (this.#next === null) {
      tokens.rest();
      transport.rest?.();
    }
    if (live !== null) {
      // Its work may go on, towards the next stream.
      if (live !== this.#next) live.abort();
      const willReconnect = this.#next !== null || this.#phase === 'suspended';
      subscriptions.leave(this.#stream?.cursor ?? null, willReconnect);
    }
    // Whoever subscribes next begins anew.
    if (subscriptions.size === 0) this.#stream = null;
    this.#tell();
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

/** Whether two streams carry the same. */
function isSame(one: Demand, other: Demand): boolean {
  return String(one.topics) === String(other.topics) && String(one.types) === String(other.types);
}

/** Whether another token is called for. */
function isRefusal(error: RealtimeError): boolean {
  return error.isCode('TOKEN_EXPIRED', 'INVALID_TOKEN');
}

/** Whether the service may mind what is subscribed to. */
function isAboutDemand(error: RealtimeError): boolean {
  return error.isCode('FORBIDDEN', 'INVALID_REQUEST');
}

/** Transports and token sources throw RealtimeErrors; whatever else comes is a fault of the SDK, and must not be lost. */
function asRealtimeError(thrown: unknown): RealtimeError {
  return thrown instanceof RealtimeError
    ? thrown
    : new RealtimeError('PROTOCOL_ERROR', { cause: thrown });
}
