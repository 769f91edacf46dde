/**
 * The time of the service, told on with the clocks of this machine. Of those the one of `performance` may stand still
 * while the machine sleeps, and the one of `Date` may be set back: the one that ran further is right.
 */
export class ServiceClock {
  /** How far the service is ahead of each clock. Without a word of the service, `Date` is right. */
  #aheadOfDate = 0;
  #aheadOfPerformance = Number.NEGATIVE_INFINITY;

  /** @param timeMs the service's word, in milliseconds since 1970, cut to whole seconds */
  set(timeMs: number): void {
    // The middle of the second that it may be in.
    this.#aheadOfDate = timeMs + 500 - Date.now();
    this.#aheadOfPerformance = timeMs + 500 - performance.now();
  }

  /** Milliseconds since 1970; as this machine has it, where the service has not said anything. */
  now(): number {
    return Math.max(Date.now() + this.#aheadOfDate, performance.now() + this.#aheadOfPerformance);
  }
}
