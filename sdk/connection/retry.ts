import { type Backoff, backoffMs, raiseBackoff } from './backoff.js';

/** A stream that lasted this long, in milliseconds, was no failure: the backoff begins anew after it. */
const HEALTHY_MS = 10_000;

/** When the next attempt is due: counts the failures in a row, and knows what the service has asked for. */
export class Retry {
  readonly #configured: Backoff;
  readonly #maxAttempts: number;
  #backoff: Backoff;
  #connectedAt = 0;
  #failures = 0;
  /** Tokens in a row that were refused: whoever sets one after another must not hammer the service with them. */
  #refusals = 0;
  /** Until when the service wants to be left alone, on the clock of `performance`. */
  #notBefore = 0;

  constructor(backoff: Backoff, maxAttempts: number) {
    this.#configured = backoff;
    this.#backoff = backoff;
    this.#maxAttempts = maxAttempts;
  }

  /** Whether another failure may follow the one that has just happened. */
  get isAllowed(): boolean {
    return this.#failures + 1 < this.#maxAttempts;
  }

  /** Whether the service would mind an attempt now. */
  get isDue(): boolean {
    return performance.now() >= this.#notBefore;
  }

  /** The stream's `retry:` lifts the bound of the first pause. */
  raise(retryMs: number): void {
    this.#backoff = raiseBackoff(this.#configured, retryMs);
  }

  /** The milliseconds to wait after a failure, at least those that the service has asked for. */
  afterFailure(retryAfterMs = 0): number {
    this.#notBefore = performance.now() + retryAfterMs;
    return Math.max(backoffMs(this.#failures++, this.#backoff), retryAfterMs);
  }

  /**
   * The milliseconds to wait after a refused token that can be replaced. None at first: a token that has run out says
   * nothing against the service. If it happens again and again, something is wrong.
   */
  afterRenewal(): number {
    const isFirst = this.#failures === 0;
    const waitMs = this.afterFailure();
    return isFirst ? 0 : waitMs;
  }

  /** The milliseconds to wait without a network. The machine's own word is not always right, so it is tried all the same. */
  whileOffline(): number {
    this.#failures++;
    return this.#backoff.ceilMs;
  }

  /** A token was refused at the door. */
  onRefusal(): void {
    this.#refusals++;
  }

  /** The milliseconds before the first attempt with a token that was set. */
  beforeToken(): number {
    const again = this.#refusals - 2;
    return again < 0 ? 0 : backoffMs(again, this.#backoff);
  }

  onConnected(): void {
    this.#refusals = 0;
    this.#connectedAt = performance.now();
  }

  /** The stream that was connected has ended. */
  onEnd(): void {
    if (performance.now() - this.#connectedAt >= HEALTHY_MS) this.#failures = 0;
  }

  /** Somebody wants it tried again now. */
  reset(): void {
    this.#failures = 0;
    this.#notBefore = 0;
  }
}
