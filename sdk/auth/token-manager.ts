import { AbortScope, untilAborted } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import type { TokenSource } from './token-source.js';

const DEFAULT_DEADLINE_MS = 10_000;
/** A token is renewed this long before its end, but never before four fifths of its life are over. */
const RENEW_AHEAD_MS = 60_000;
const RENEW_AHEAD_SHARE = 0.2;

/** A token that was handed out. Tokens are told apart by identity, so nobody compares secrets. */
export interface Token {
  readonly value: string;
}

interface CachedToken {
  readonly token: Token;
  readonly renewAtMs: number;
}

/** One request to the source, shared by all who ask meanwhile. */
interface Flight {
  readonly scope: AbortScope;
  readonly token: Promise<Token>;
}

/** Holds the one token of a client: asks its source for it, once however many ask, and keeps it while it lasts. */
export class TokenManager {
  readonly #deadlineMs: number;
  #source: TokenSource;
  #cached: CachedToken | null = null;
  #flight: Flight | null = null;

  /** @param deadlineMs milliseconds within which a source must have answered. Default: 10,000. */
  constructor(source: TokenSource, deadlineMs = DEFAULT_DEADLINE_MS) {
    this.#source = source;
    this.#deadlineMs = deadlineMs;
  }

  /** Whether another token can be had once this one is refused. */
  get canRenew(): boolean {
    return this.#source.canRenew;
  }

  /**
   * The token of now, or a new one where there is none or its end is near.
   * @throws RealtimeError of the source; TOKEN_PROVIDER_TIMEOUT past the deadline.
   */
  async get(): Promise<Token> {
    if (this.#cached !== null && Date.now() < this.#cached.renewAtMs) return this.#cached.token;
    this.#flight ??= this.#takeOff();
    return this.#flight.token;
  }

  /** Hands `token` out no more. Nothing happens where a newer one has taken its place. */
  drop(token: Token): void {
    if (this.#cached?.token === token) this.#cached = null;
  }

  /** Takes tokens from another source from now on; what the old one still answers is not heard. */
  replaceSource(source: TokenSource): void {
    this.close();
    this.#source = source;
  }

  /** Forgets the token, and calls off what is under way. */
  close(): void {
    this.#cached = null;
    this.#flight?.scope.abort(new RealtimeError('CLOSED'));
    this.#flight = null;
  }

  #takeOff(): Flight {
    const scope = new AbortScope(null);
    scope.abortAfter(
      this.#deadlineMs,
      () =>
        new RealtimeError('TOKEN_PROVIDER_TIMEOUT', {
          message: `No token came within ${this.#deadlineMs} ms`,
        }),
    );
    return { scope, token: this.#fetch(scope) };
  }

  async #fetch(scope: AbortScope): Promise<Token> {
    try {
      const answer = this.#source.fetch({ signal: scope.signal });
      const { value, lifetimeMs } = await untilAborted(answer, scope.signal);
      // An answer that was on its way when the source was replaced must not overwrite what came after it.
      scope.signal.throwIfAborted();
      const token = { value };
      this.#cached = { token, renewAtMs: Date.now() + timeUntilRenewal(lifetimeMs) };
      return token;
    } finally {
      scope.end();
      if (this.#flight?.scope === scope) this.#flight = null;
    }
  }
}

function timeUntilRenewal(lifetimeMs: number | null): number {
  if (lifetimeMs === null) return Number.POSITIVE_INFINITY;
  return lifetimeMs - Math.min(RENEW_AHEAD_MS, lifetimeMs * RENEW_AHEAD_SHARE);
}
