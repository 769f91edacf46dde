import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;
/** What is told is of the last 15 to 30 s: whoever asks at least every 15 s misses nothing. */
const WINDOW_MS = 15_000;

/** In seconds. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * How late the event loop has been of late. Asking changes nothing, so that any number of scrapers see the same: of two
 * histograms the older one is read, and is begun anew when it has been read for a window.
 */
export class EventLoopDelay {
  private older = begin();
  private younger = begin();
  private readonly timer = setInterval(() => this.turn(), WINDOW_MS).unref();

  read(): Delays {
    return {
      p50: secondsLate(this.older.percentile(50)),
      p99: secondsLate(this.older.percentile(99)),
      max: secondsLate(this.older.max),
    };
  }

  close(): void {
    clearInterval(this.timer);
    this.older.disable();
    this.younger.disable();
  }

  private turn(): void {
    const spent = this.older;
    this.older = this.younger;
    this.younger = spent;
    spent.reset();
  }
}

function begin(): IntervalHistogram {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return histogram;
}

/** Node records the time between two looks at the clock, the pause that was meant included. */
function secondsLate(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3);
}
