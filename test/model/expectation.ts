import { isWanted, type LoggedEvent, type MemoryLog } from './memory-log.js';

/**
 * What one subscription must get: a run of the log without a hole and without a double, from where it begins, and anew
 * from each gap that it was told of. What comes is checked as it comes; at rest, nothing may be missing.
 */
export class Expectation {
  readonly faults: string[] = [];
  readonly #log: MemoryLog;
  readonly #topics: readonly string[];
  /** Index in the history: nothing before it may come (any more). */
  #earliest: number;
  /** Index in the history: what is wanted from here on must come. Before that, it may. */
  #latest: number;

  /** @param lastEventId begins behind it; `undefined` begins with what happens once it is let in */
  constructor(log: MemoryLog, topics: readonly string[], lastEventId: string | undefined) {
    this.#log = log;
    this.#topics = topics;
    this.#earliest = lastEventId === undefined ? 0 : this.#log.indexBehind(lastEventId);
    this.#latest = lastEventId === undefined ? Number.POSITIVE_INFINITY : this.#earliest;
  }

  /** It was let in: from now on it misses nothing. */
  onConnected(): void {
    this.#latest = Math.min(this.#latest, this.#log.history.length);
  }

  /** It was told that history is gone: what comes next lies at or before what follows `goesOnBehind`. */
  onGap(goesOnBehind: string): void {
    this.#latest = Math.max(this.#earliest, this.#log.indexBehind(goesOnBehind));
  }

  onEvent(cursor: string): void {
    const { history } = this.#log;
    const at = history.findIndex((event) => event.cursor === cursor);
    const event = history[at];
    if (event === undefined || !isWanted(this.#topics, event)) {
      this.faults.push(`${cursor} was not asked for`);
    } else if (at < this.#earliest) {
      this.faults.push(`${cursor} came twice, too late, or from before its beginning`);
    } else {
      const missed = this.#firstWanted(this.#latest);
      if (missed < at) this.faults.push(`${cursor} came without ${history[missed]?.cursor}`);
      this.#earliest = at + 1;
      this.#latest = at + 1;
    }
  }

  /** The cursor of what should have come by now; `null` where nothing is missing. */
  get missing(): string | null {
    return this.#log.history[this.#firstWanted(this.#latest)]?.cursor ?? null;
  }

  #firstWanted(from: number): number {
    const { history } = this.#log;
    const isDue = (event: LoggedEvent, at: number): boolean =>
      at >= from && isWanted(this.#topics, event);
    const at = history.findIndex(isDue);
    return at < 0 ? Number.POSITIVE_INFINITY : at;
  }
}
