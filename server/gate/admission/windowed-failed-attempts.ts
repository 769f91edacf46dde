import { LRUCache } from 'lru-cache';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import type { FailedAttempts } from './failed-attempts.js';
import { networkOf } from './network.js';

const WINDOW_MS = 60_000;
const MAX_NETWORKS = 100_000;

/** What failed in the window that runs, and in the one before it. */
interface Failures {
  /** The number of the window that runs. */
  window: number;
  now: number;
  before: number;
}

export interface FailedAttemptsOptions {
  /** `null`: as many as one likes. */
  readonly maxPerMinute: number | null;
  /** Networks that are remembered; beyond them, the one that failed longest ago is forgotten. Default 100,000. */
  readonly maxNetworks?: number;
}

/**
 * A minute that slides: of the window before, that share counts which still lies within the last minute. Two numbers
 * an address, and no burst of twice the limit where two windows meet.
 */
export class WindowedFailedAttempts implements FailedAttempts {
  private readonly maxPerMinute: number;
  private readonly failures: LRUCache<string, Failures>;

  constructor({ maxPerMinute, maxNetworks = MAX_NETWORKS }: FailedAttemptsOptions) {
    this.maxPerMinute = maxPerMinute ?? Number.POSITIVE_INFINITY;
    this.failures = new LRUCache({ max: maxNetworks });
  }

  check(address: string): void {
    // Asking after it does not make it newer: whoever only knocks is forgotten as others are.
    const failures = this.failures.peek(networkOf(address));
    if (failures === undefined) return;
    const now = performance.now();
    if (weigh(failures, now) < this.maxPerMinute) return;
    throw new SluiceError('RATE_LIMIT_EXCEEDED', 'Too many attempts of this address have failed.', {
      retryAfterMs: spreadRetryMs(WINDOW_MS / 4),
    });
  }

  note(address: string): void {
    const network = networkOf(address);
    const window = Math.floor(performance.now() / WINDOW_MS);
    const failures = this.failures.get(network) ?? { window, now: 0, before: 0 };
    if (failures.window < window) {
      failures.before = failures.window === window - 1 ? failures.now : 0;
      failures.now = 0;
      failures.window = window;
    }
    failures.now++;
    this.failures.set(network, failures);
  }
}

/** How many failures the last minute holds, as far as two windows tell. */
function weigh({ window, now, before }: Failures, time: number): number {
  const age = time / WINDOW_MS - window;
  if (age >= 2) return 0;
  return age >= 1 ? now * (2 - age) : now + before * (1 - age);
}
