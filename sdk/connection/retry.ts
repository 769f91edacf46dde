import { type Backoff, backoffMs, raiseBackoff, spread } from './backoff.js';

/** A stream that lasted this long, in milliseconds, was no failure: the backoff begins anew after it. */
const HEALTHY_MS = 10_000;
const SETTLED_MS = 1_000;

/** When the next attempt is due: counts the failures in a row, and knows what the service has asked for. */
export class Retry {
  readonly #configured: Backoff;
  readonly #maxAttempts: number;
  #backoff: Backoff;
  #connectedAt = 0;
  #failures = 0;
  /** How many services in a row went down as soon as they had let a stream in. That is no failure of an attempt. */
  #drains = 0;
  /** Until when the service wants to be left alone, on the clock of `performance`. */
  #notBefore = 0;
  /** Whether an attempt came to nothing since somebody last wanted one at once. */
  #hasFailed = false;
  /** How often somebody wanted one at once after a failure, since the last healthy stream. */
  #urges = 0;
  /** Until when whoever wants one at once must wait all the same. */
  #pacedUntil = 0;

  constructor(backoff: Backoff, maxAttempts: number) {
    this.#configured = backoff;
    this.#backoff = backoff;
    this.#maxAttempts = maxAttempts;
  }

  /** Whether another failure may follow the one that has just happened. */
  get isAllowed(): boolean {
    return this.#failures + 1 < this.#maxAttempts;
  }

  /** Whether the stream has been connected for a moment: a new one at each word of the machine would hammer. */
  get isSettled(): boolean {
    return performance.now() - this.#connectedAt >= SETTLED_MS;
  }

  /** The stream's `retry:` lifts the bound of the first pause. */
  raise(retryMs: number): void {
    this.#backoff = raiseBackoff(this.#configured, retryMs);
  }

  /**
   * The milliseconds to wait after a failure: more than the service has asked for, since it may have told many the same,
   * who must not come back together.
   */
  afterFailure(retryAfterMs = 0): number {
    const askedMs = spread(retryAfterMs);
    this.#notBefore = performance.now() + askedMs;
    return askedMs + backoffMs(this.#failures++, this.#backoff);
  }

  /**
   * The service goes down, and wants this client back in `reconnectInMs`, which is for this one alone. The milliseconds until
   * then; they may be more where that happens again and again.
   */
  onDraining(reconnectInMs: number): number {
    this.onMiss();
    this.onEnd();
    this.#notBefore = performance.now() + reconnectInMs;
    const before = this.#drains++;
    return Math.max(before > 0 ? backoffMs(before - 1, this.#configured) : 0, reconnectInMs);
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
    return Math.max(this.afterFailure(), this.#backoff.ceilMs);
  }

  /**
   * Somebody wants an attempt at once. The milliseconds until then: what the service has asked for, and a pause of one's
   * own where that happens again and again after failures, so that nobody hammers the service by `setToken`, by
   * subscribing anew, or with a page that is shown and hidden.
   */
  beforeUrged(): number {
    const now = performance.now();
    if (this.#hasFailed) {
      this.#hasFailed = false;
      if (this.#urges++ > 0) this.#pacedUntil = now + backoffMs(this.#urges - 2, this.#backoff);
    }
    return Math.max(this.#notBefore, this.#pacedUntil, now) - now;
  }

  /** An attempt came to nothing, or was called off for another one. */
  onMiss(): void {
    this.#hasFailed = true;
  }

  onConnected(): void {
    this.#connectedAt = performance.now();
  }

  /** The stream that was connected has ended, or the next one is wanted. */
  onEnd(): void {
    if (performance.now() - this.#connectedAt < HEALTHY_MS) return;
    this.#failures = 0;
    this.#drains = 0;
    this.#urges = 0;
  }

  /** The application wants it: it may know better than the service, and there is a new count of attempts. */
  reset(): void {
    this.#failures = 0;
    this.#notBefore = 0;
  }
}
