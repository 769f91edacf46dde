import {
  type ErrorCode,
  type Frame,
  parseCursor,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import { AbortScope } from '../abort-scope.js';
import type { Token, TokenManager } from '../auth/token-manager.js';
import { RealtimeError } from '../errors.js';
import type { Demand, SubscriptionSet } from '../subscription/subscription-set.js';
import { errorOfProblem } from '../transport/refusal.js';
import type { StreamListener, Transport } from '../transport/transport.js';
import { clampWait } from './backoff.js';
import { ResumePoint } from './resume-point.js';
import type { Retry } from './retry.js';
import { readStreamItem } from './stream-item.js';

/** Where the streams of a client come from, and who hears what they say. */
export interface StreamOptions {
  /** Where the service is; asked anew for each stream. */
  readonly endpoint: () => string;
  readonly workspace: string;
  readonly transport: Transport;
  readonly tokens: TokenManager;
  readonly subscriptions: SubscriptionSet;
  readonly retry: Retry;
  readonly heartbeatTimeoutMs: number;
  /** A stream has shown a sign of life, and has come to this cursor. Must not throw. */
  readonly onActivity?: ((cursor: string | null) => void) | undefined;
}

/** The service has let `stream` in, and has said `connected`. */
export type OnLetIn = (stream: Stream, connected: StreamConnected) => void;

/** Milliseconds within which the service must have said `stream.connected`. */
const OPENING_DEADLINE_MS = 15_000;

/** One stream, from its request to its end: reads its frames, knows how far it has come, watches its heartbeat. */
export class Stream implements StreamListener {
  readonly token: Token;
  readonly demand: Demand;
  /** What the service said of it; `null` before. */
  connected: StreamConnected | null = null;
  readonly #options: StreamOptions;
  readonly #onLetIn: OnLetIn;
  readonly #position: ResumePoint;
  readonly #scope: AbortScope;
  #isLetIn = false;
  #disarmOpening = (): void => {};
  #disarmWatchdog = (): void => {};
  /** When this client shall come back, on the clock of `performance`; `null` while the service is not draining. */
  #reconnectAt: number | null = null;

  /** @param onLetIn called once */
  constructor(
    options: StreamOptions,
    token: Token,
    demand: Demand,
    signal: AbortSignal,
    onLetIn: OnLetIn,
  ) {
    this.#options = options;
    this.token = token;
    this.demand = demand;
    this.#onLetIn = onLetIn;
    this.#position = new ResumePoint(demand.lastEventId);
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
  async run(): Promise<number> {
    const { transport, endpoint, workspace } = this.#options;
    const request = { ...this.demand, endpoint: endpoint(), workspace, token: this.token.value };
    this.#disarmOpening = this.#failAfter(OPENING_DEADLINE_MS, 'NETWORK_ERROR', 'not let in');
    try {
      await transport.run(request, this, this.#scope.signal);
      throw new RealtimeError('NETWORK_ERROR', { message: 'The stream ended' });
    } catch (error) {
      if (this.#reconnectAt === null || !isEndOfService(error)) throw error;
      return Math.max(this.#reconnectAt - performance.now(), error.retryAfterMs ?? 0, 0);
    } finally {
      this.#scope.end();
    }
  }

  onServerTime(serverTimeMs: number): void {
    this.#options.tokens.setServerTime(serverTimeMs);
  }

  onActivity(): void {
    const { heartbeatTimeoutMs, onActivity } = this.#options;
    this.#disarmWatchdog();
    this.#disarmWatchdog = this.#failAfter(heartbeatTimeoutMs, 'HEARTBEAT_TIMEOUT', 'silent');
    onActivity?.(this.cursor);
  }

  onFrame({ id = '', event, data, retry }: Frame): void {
    if (retry !== undefined) this.#options.retry.raise(retry);
    const item = readStreamItem(event, data);
    if (item.name === 'event') this.#onEvent(item.data, id);
    else if (item.name === 'stream.connected') this.#onConnected(item.data, id);
    else if (item.name === 'stream.gap') this.#onGap(item.data, id);
    else this.#position.advance(id);

    if (item.name === 'stream.token_expiring') this.#options.tokens.renewAhead(this.token);
    else if (item.name === 'stream.draining') this.#onDraining(item.data.reconnectInMs);
    else if (item.name === 'stream.error') throw errorOfProblem(item.data, [this.token.value]);
  }

  /** A stream that begins with a gap counts as let in once that is told: before, nobody knows where it goes on. */
  #onConnected(connected: StreamConnected, id: string): void {
    this.connected = connected;
    if (connected.resumed === 'gap') return;
    this.#position.advance(id);
    this.#letIn();
  }

  #onGap(gap: StreamGap, id: string): void {
    if (this.connected === null) throw tooEarly();
    this.#position.moveTo(id);
    this.#letIn();
    this.#options.subscriptions.onGap(gap, id);
  }

  #letIn(): void {
    if (this.connected === null || this.#isLetIn) return;
    this.#isLetIn = true;
    this.#disarmOpening();
    this.#onLetIn(this, this.connected);
  }

  #onEvent(event: RealtimeEvent, cursor: string): void {
    // Without a cursor there is no promise that nothing comes twice; before it is let in, nobody to hand it on to.
    if (parseCursor(cursor) === null || !this.#isLetIn) throw tooEarly();
    if (this.#position.advance(cursor)) this.#options.subscriptions.onEvent(event, cursor);
  }

  /** Events keep flowing until the time has come or the service goes, whichever is first. */
  #onDraining(reconnectInMs: number): void {
    if (this.#reconnectAt !== null) return;
    const waitMs = clampWait(reconnectInMs);
    this.#reconnectAt = performance.now() + waitMs;
    this.#failAfter(waitMs, 'UNAVAILABLE', 'draining');
  }

  /** Ends the stream in `ms`, unless the function that it returns is called first. */
  #failAfter(ms: number, code: ErrorCode, what: string): () => void {
    return this.#scope.abortAfter(
      ms,
      () => new RealtimeError(code, { message: `The stream was ${what} for ${ms} ms` }),
    );
  }
}

function tooEarly(): RealtimeError {
  return new RealtimeError('PROTOCOL_ERROR', {
    message: 'The service sent an event without a cursor, or too early',
  });
}

/** How a service that goes down ends its streams: it cuts them, or says so first. Neither is news once it drains. */
function isEndOfService(error: unknown): error is RealtimeError {
  return error instanceof RealtimeError && error.isCode('NETWORK_ERROR', 'UNAVAILABLE');
}
