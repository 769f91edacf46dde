import { SluiceError, spreadRetryMs } from '../../errors.js';

/** The share of a second's openings that may come at once, so that no turn of the event loop is held by them for long. */
const BURST = 1 / 10;
const LEAST_BURST = 100;
/** Those who were sent away are asked back somewhat slower than they could be let in, so that few of them wait twice. */
const CALLED_BACK = 0.8;
/** Nobody is sent away for less than about this, nor for more than about that. */
const RETRY_MS = { least: 500, most: 120_000 };

/**
 * How many streams a second may be opened. Those above it are sent away, each a little longer than the one before, so
 * that any number that comes at once is spread over the time that it takes to let them in.
 */
export class OpeningRate {
  private readonly perMs: number;
  private readonly burst: number;
  /** How many may enter at once. */
  private room: number;
  /** How many were sent away whose time has not come yet. */
  private awaited = 0;
  private countedAt = performance.now();
  private isCounted = false;

  /** @param perSecond `null`: as many as come. */
  constructor(perSecond: number | null) {
    const most = perSecond ?? Number.POSITIVE_INFINITY;
    this.perMs = most / 1_000;
    this.burst = Math.min(most, Math.max(LEAST_BURST, most * BURST));
    this.room = this.burst;
  }

  /** @throws SluiceError UNAVAILABLE saying when to come back. */
  enter(): void {
    if (this.perMs === Number.POSITIVE_INFINITY) return;
    this.count();
    if (this.room < 1) throw this.later();
    this.room--;
  }

  /** Once in a turn of the event loop: where a turn takes long, what it holds itself must not make room for more of it. */
  private count(): void {
    if (this.isCounted) return;
    this.isCounted = true;
    setImmediate(() => {
      this.isCounted = false;
    });
    const now = performance.now();
    const passed = (now - this.countedAt) * this.perMs;
    this.countedAt = now;
    this.room = Math.min(this.room + passed, this.burst);
    this.awaited = Math.max(this.awaited - passed * CALLED_BACK, 0);
  }

  private later(): SluiceError {
    const perMs = this.perMs * CALLED_BACK;
    this.awaited = Math.min(this.awaited + 1, RETRY_MS.most * perMs);
    const turnMs = this.awaited / perMs;
    // Beyond what one can be asked to wait there are no turns; they are spread all the same.
    const waitMs = turnMs < RETRY_MS.most ? turnMs : spreadRetryMs(RETRY_MS.most) / 1.5;
    return new SluiceError(
      'UNAVAILABLE',
      'More streams are being opened than this node can take.',
      {
        retryAfterMs: Math.round(waitMs + spreadRetryMs(RETRY_MS.least)),
      },
    );
  }
}
