import { AbortScope, untilAborted } from '../abort-scope.js';
import { backoffMs, DEFAULT_BACKOFF, spread } from '../connection/backoff.js';
import { RealtimeError } from '../errors.js';
import { redactedCause } from '../redact.js';
import { renewalAheadMs } from './renewal.js';
import { ServiceClock } from './service-clock.js';
import { isTokenFailure, tokenFailure } from './token-failure.js';
import type { SourcedToken, TokenRequest, TokenSource } from './token-source.js';

/** Within which a source must have answered. */
const DEADLINE_MS = 10_000;
/** Between two renewals ahead of time, so that tokens with tiny lives are not renewed without end. */
const LEAST_DISTANCE_MS = 5_000;
/** Timers run in steps: a long one would overflow, and does not notice that the machine slept or its clock was set. */
const LONGEST_STEP_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;

/** A token that was handed out. Tokens are told apart by identity: each generation is an object of its own. */
export interface Token {
  readonly value: string;
}

const NO_TOKEN: Token = { value: '' };

type Reason = TokenRequest['reason'];

/** One request to the source, shared by all who ask meanwhile. */
interface Flight {
  readonly scope: AbortScope;
  readonly token: Promise<Token>;
  /** Whether nobody waits for it: it gets the next token while the one of now still does. */
  isAhead: boolean;
}

/** Holds the one token of a client: asks its source, once however many ask, and renews the token before it ends. */
export class TokenManager {
  readonly #source: TokenSource;
  readonly #onRenewed: () => void;
  readonly #clock = new ServiceClock();
  /** The token of now, also where it was refused, until the next one comes. */
  #token = NO_TOKEN;
  /** Why another one is needed; `null` where that of now does, as far as the service has said. */
  #need: Reason | null = 'initial';
  /** Whether the token of now was had because the one before was refused, and was not let in yet. */
  #isForced = false;
  #isResting = false;
  /** When the token was had, on the clock of `performance`. */
  #hadAt = 0;
  /** When the token ends, on the clock of the service. */
  #endsAtMs = NEVER;
  /** Before when nothing is renewed ahead of time, on the clock of `performance`. */
  #notBefore = 0;
  /** Requests in a row that brought nothing. */
  #failures = 0;
  #flight: Flight | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onRenewed called when a token was had ahead of time: a stream should be opened with it. Must not throw. */
  constructor(source: TokenSource, onRenewed: () => void) {
    this.#source = source;
    this.#onRenewed = onRenewed;
  }

  /**
   * The token of now, or the next one where there is none, or it has ended or was refused.
   * @throws RealtimeError: TOKEN_PROVIDER_ERROR; TOKEN_PROVIDER_TIMEOUT past the deadline; INVALID_TOKEN
   * where the source has no other token than the one that was refused.
   */
  async get(): Promise<Token> {
    const reason = this.#need ?? this.#reasonOfEnd();
    if (reason === null) return this.#token;
    const flight = this.#flight ?? this.#takeOff(reason);
    flight.isAhead = false;
    return flight.token;
  }

  /**
   * Takes a token that the application has got; what the source still answers is not heard. False where it is the
   * token of now.
   */
  set(value: string): boolean {
    if (this.#token.value === value) return false;
    this.#callOff();
    this.#isForced = false;
    this.#notBefore = 0;
    this.#hold(value, null);
    return true;
  }

  /** The service let a stream in with `token`, until `expiresAt` (RFC 3339). */
  accepted(token: Token, expiresAt: string): void {
    if (token !== this.#token) return;
    this.#isForced = false;
    this.#isResting = false;
    // Let in after its end: this clock cannot tell. The service itself says in the stream when the end is near.
    const leftMs = this.#endIn(Date.parse(expiresAt) - this.#clock.now());
    const lifeMs = leftMs + performance.now() - this.#hadAt;
    this.#renewAt(this.#endsAtMs - spread(renewalAheadMs(lifeMs)));
  }

  /** `token` ends soon, as the service says: gets the next one, if that can be had, and tells of it. */
  renewAhead(token: Token): void {
    if (token === this.#token) this.#renewAt(0);
  }

  /** The service refused `token`. Whether `get()` may bring one that is not. */
  refused(token: Token, reason: 'expired' | 'rejected'): boolean {
    if (token !== this.#token) return true;
    if (!this.#source.canRenew) return false;
    clearTimeout(this.#timer);
    // What is under way ahead of time is waited for from now on.
    if (this.#flight !== null) this.#flight.isAhead = false;
    this.#need = reason === 'expired' && this.#isResting ? 'resume' : reason;
    // One that was good when it came, and has run out while it could not be used, is none of a source at fault.
    const hasRunOut = reason === 'expired' && performance.now() - this.#hadAt > LEAST_DISTANCE_MS;
    return !this.#isForced || hasRunOut;
  }

  /** The clock of the service, in milliseconds since 1970. */
  setServerTime(serverTimeMs: number): void {
    this.#clock.set(serverTimeMs);
  }

  /** No stream lives: nothing is renewed ahead of time, and a token that is asked for next is to `resume`. */
  rest(): void {
    this.#callOff();
    this.#isResting = true;
  }

  /** Forgets the token, and calls off what is under way. */
  close(): void {
    this.#callOff();
    this.#token = NO_TOKEN;
    this.#need = 'initial';
  }

  #reasonOfEnd(): Reason | null {
    if (!this.#source.renewsAhead || this.#clock.now() < this.#endsAtMs) return null;
    return this.#isResting ? 'resume' : 'expired';
  }

  /** Gets the next token at `timeMs`, on the clock of the service, while that of now goes on. */
  #renewAt(timeMs: number): void {
    clearTimeout(this.#timer);
    const leftMs = Math.max(timeMs - this.#clock.now(), this.#notBefore - performance.now());
    if (!this.#source.renewsAhead || leftMs === NEVER) return;
    if (leftMs <= 0) this.#renewNow();
    else this.#timer = setTimeout(() => this.#renewAt(timeMs), Math.min(leftMs, LONGEST_STEP_MS));
  }

  #renewNow(): void {
    if (this.#flight !== null || this.#need !== null || this.#reasonOfEnd() !== null) return;
    const flight = this.#takeOff('expiring');
    flight.token.then(
      () => flight.isAhead && this.#onRenewed(),
      () => flight.isAhead && this.#renewAt(0),
    );
  }

  #takeOff(reason: Reason): Flight {
    this.#notBefore = reason === 'expiring' ? performance.now() + LEAST_DISTANCE_MS : 0;
    const scope = new AbortScope(null);
    scope.abortAfter(DEADLINE_MS, () => tokenFailure({}, 'TOKEN_PROVIDER_TIMEOUT'));
    this.#flight = { scope, token: this.#fetch(scope, reason), isAhead: true };
    return this.#flight;
  }

  async #fetch(scope: AbortScope, reason: Reason): Promise<Token> {
    const { signal } = scope;
    try {
      // Later, never from within: a provider may call the client.
      await null;
      signal.throwIfAborted();
      const request = { reason, attempt: this.#failures + 1, signal };
      const answer = await untilAborted(this.#source.fetch(request), signal);
      // An answer that was on its way when it was called off must not overwrite what came after it.
      signal.throwIfAborted();
      return this.#land(answer, reason);
    } catch (error) {
      if (this.#flight?.scope === scope) throw this.#failed(error);
      // Called off: whoever waits gets what has taken its place, if anything has.
      if (this.#need === null) return this.#token;
      throw signal.reason;
    } finally {
      scope.end();
      if (this.#flight?.scope === scope) this.#flight = null;
    }
  }

  #land({ value, lifetimeMs }: SourcedToken, reason: Reason): Token {
    const isRefused = this.#need !== null && this.#need !== 'initial';
    if (value === this.#token.value && (isRefused || reason === 'expiring')) {
      throw sameToken(reason === 'rejected');
    }
    this.#isForced = isRefused;
    return this.#hold(value, lifetimeMs);
  }

  #hold(value: string, lifetimeMs: number | null): Token {
    clearTimeout(this.#timer);
    this.#need = null;
    this.#failures = 0;
    this.#hadAt = performance.now();
    // A source may go by a wrong clock: a token that it has just given is not taken for one that has ended.
    this.#endIn(lifetimeMs ?? NEVER);
    this.#token = { value };
    return this.#token;
  }

  /** Notes that the token lives for `leftMs`, which counts only if it lies ahead. */
  #endIn(leftMs: number): number {
    const lifeMs = leftMs > 0 ? leftMs : NEVER;
    this.#endsAtMs = this.#clock.now() + lifeMs;
    return lifeMs;
  }

  #failed(thrown: unknown): RealtimeError {
    const error = asProviderError(thrown, this.#token);
    const backoff = backoffMs(this.#failures++, DEFAULT_BACKOFF);
    const waitMs = error.recoverable ? backoff + spread(error.retryAfterMs ?? 0) : NEVER;
    this.#notBefore = Math.max(this.#notBefore, performance.now() + waitMs);
    return error;
  }

  #callOff(): void {
    clearTimeout(this.#timer);
    const flight = this.#flight;
    if (flight === null) return;
    this.#flight = null;
    flight.isAhead = false;
    flight.scope.abort(new RealtimeError('CLOSED'));
  }
}

/** What a source throws, fit to be told. */
function asProviderError(thrown: unknown, token: Token): RealtimeError {
  if (isTokenFailure(thrown)) return thrown;
  const cause = redactedCause(thrown, [token.value]);
  // By its name, so that one of another copy of this package counts too.
  return tokenFailure({ recoverable: cause.name !== 'StopRetrying', cause });
}

/**
 * After a refusal nothing better is to come. A token that has ended is another matter: the source may keep it by a clock
 * of its own that is behind.
 */
function sameToken(isRejected: boolean): RealtimeError {
  return isRejected
    ? tokenFailure({ message: 'The token provider gave the refused token again' }, 'INVALID_TOKEN')
    : tokenFailure({
        message: 'The token provider gave the same token again, which has ended or is about to',
      });
}
