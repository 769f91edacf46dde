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

/** Whose stream it is. */
export interface StreamOwner {
  /** The service has let `stream` in, and has said `connected`. Called once. */
  onLetIn(stream: Stream, connected: StreamConnected): void;
  /** The service goes down, and the time has come to open the next stream, while this one lives. */
  onDue(): void;
}

/** Milliseconds within which the service must have said `stream.connected`. */
const OPENING_DEADLINE_MS = 15_000;

/** One stream, from its request to its end: reads its frames, knows how far it has come, watches its heartbeat. */
export class Stream implements StreamListener {
  readonly token: Token;
  readonly demand: Demand;
  /** What the service said of it; `null` before. */
  connected: StreamConnected | null = null;
  readonly #options: StreamOptions;
  readonly #owner: StreamOwner;
  readonly #position: ResumePoint;
  readonly #scope: AbortScope;
  #isLetIn = false;
  #disarmOpening = (): void => {};
  #disarmWatchdog = (): void => {};
  /** When the next stream is due, on the clock of `performance`; `null` while the service is not draining. */
  #dueAt: number | null = null;

  constructor(
    options: StreamOptions,
    token: Token,
    demand: Demand,
    signal: AbortSignal,
    owner: StreamOwner,
  ) {
    this.#options = options;
    this.token = token;
    this.demand = demand;
    this.#owner = owner;
    this.#position = new ResumePoint(demand.lastEventId);
    this.#scope = new AbortScope(signal);
  }

  /** How far it has come: where the next stream resumes. */
  get cursor(): string | null {
    return this.#position.cursor;
  }

  /**
   * Resolves to the milliseconds after which the next stream is due, once a draining service has ended this one.
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
      if (this.#dueAt === null || !isEndOfService(error)) throw error;
      return Math.max(this.#dueAt - performance.now(), error.retryAfterMs ?? 0, 0);
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
    const item = readStreamItem(event, data);
    // That of a draining service is the time of one move, and for clients that know no better.
    if (retry !== undefined && item.name !== 'stream.draining') this.#options.retry.raise(retry);
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
    this.#owner.onLetIn(this, this.connected);
  }

  #onEvent(event: RealtimeEvent, cursor: string): void {
    // Without a cursor there is no promise that nothing comes twice; before it is let in, nobody to hand it on to.
    if (parseCursor(cursor) === null || !this.#isLetIn) throw tooEarly();
    if (this.#position.advance(cursor)) this.#options.subscriptions.onEvent(event, cursor);
  }

  /** Events keep flowing until the next stream has taken over or the service goes, whichever is first. */
  #onDraining(reconnectInMs: number): void {
    if (this.#dueAt !== null) return;
    const waitMs = this.#options.retry.onDraining(clampWait(reconnectInMs));
    this.#dueAt = performance.now() + waitMs;
    this.#scope.after(waitMs, () => this.#owner.onDue());
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
