/**
 * The time of the service, told on with the clocks of this machine. Of those the one of `performance` may stand still
 * while the machine sleeps, and the one of `Date` may be set back: the one that ran further is right.
 */
export class ServiceClock {
  #timeMs: number | null = null;
  #date = 0;
  #performance = 0;

  /** @param timeMs the service's word, in milliseconds since 1970, cut to whole seconds */
  set(timeMs: number): void {
    // The middle of the second that it may be in.
    this.#timeMs = timeMs + 500;
    this.#date = Date.now();
    this.#performance = performance.now();
  }

  /** Milliseconds since 1970; as this machine has it, where the service has not said anything. */
  now(): number {
    if (this.#timeMs === null) return Date.now();
    return this.#timeMs + Math.max(Date.now() - this.#date, performance.now() - this.#performance);
  }
}
