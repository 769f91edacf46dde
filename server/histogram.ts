/** Upper bounds in seconds: from what a step in memory takes to what nobody waits for any more. */
const BOUNDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** How many observations there were up to each bound, in the form that Prometheus reads. */
export interface HistogramReading {
  /** Each holds those of the bounds below it too. */
  readonly buckets: readonly { readonly bound: number; readonly count: number }[];
  readonly count: number;
  readonly sum: number;
}

/** Sorts durations into buckets. An observation costs a few comparisons and additions, so that it may stand where much passes. */
export class Histogram {
  /** The last one is of what lies above all bounds. */
  private readonly counts: number[] = new Array(BOUNDS.length + 1).fill(0);
  private sum = 0;

  observe(seconds: number): void {
    let index = 0;
    while (index < BOUNDS.length && seconds > (BOUNDS[index] as number)) index++;
    (this.counts[index] as number)++;
    this.sum += seconds;
  }

  /** @param sinceMs of `performance.now()` */
  observeSince(sinceMs: number): void {
    this.observe((performance.now() - sinceMs) / 1_000);
  }

  read(): HistogramReading {
    let count = 0;
    const buckets = BOUNDS.map((bound, index) => {
      count += this.counts[index] as number;
      return { bound, count };
    });
    return { buckets, count: count + (this.counts[BOUNDS.length] as number), sum: this.sum };
  }
}
