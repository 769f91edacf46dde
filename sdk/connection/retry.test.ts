import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_BACKOFF, LONGEST_PAUSE_MS } from './backoff.js';
import { Retry } from './retry.js';

const CLIENTS = 1_000;
/** How long the service wants to be left alone, in milliseconds, as it can be understood at all. */
const waits = fc.integer({ min: 0, max: 300_000 });
const failures = fc.nat(12);

describe('when the next attempt is due', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** A client whose last streams have failed so often. */
  function retryAfter(failed: number): Retry {
    const retry = new Retry(DEFAULT_BACKOFF, Number.POSITIVE_INFINITY);
    for (let i = 0; i < failed; i++) retry.afterFailure();
    return retry;
  }

  it('is never before the service has asked for, and never for ever', () => {
    fc.assert(
      fc.property(waits, failures, (askedMs, failed) => {
        const retry = retryAfter(failed);
        const waitMs = retry.afterFailure(askedMs);
        expect(waitMs).toBeGreaterThanOrEqual(askedMs);
        expect(waitMs).toBeLessThanOrEqual(askedMs * 1.25 + DEFAULT_BACKOFF.ceilMs);
        expect(waitMs).toBeLessThan(LONGEST_PAUSE_MS);
        // Whoever is urged on does not come sooner than asked for, either.
        retry.onMiss();
        expect(retry.beforeUrged()).toBeGreaterThanOrEqual(askedMs);
      }),
    );
  });

  it('is spread among those who were told the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 300_000 }), (askedMs) => {
        const dueAt = Array.from({ length: CLIENTS }, () => retryAfter(0).afterFailure(askedMs));
        // Over a quarter of the pause, and the first bound of the backoff, no slice of a tenth has many.
        const slices = new Map<number, number>();
        for (const ms of dueAt) {
          const slice = Math.floor(((ms - askedMs) / (askedMs / 4 + DEFAULT_BACKOFF.baseMs)) * 10);
          slices.set(slice, (slices.get(slice) ?? 0) + 1);
        }
        expect(Math.max(...slices.values())).toBeLessThan(CLIENTS / 4);
      }),
      { numRuns: 30 },
    );
  });

  it('is when a draining service says, which tells each client another time', () => {
    fc.assert(
      fc.property(waits, (reconnectInMs) => {
        expect(retryAfter(0).onDraining(reconnectInMs)).toBe(reconnectInMs);
      }),
    );
  });

  it('is later than a service says that drains again and again', () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    const retry = retryAfter(0);
    const pauses = Array.from({ length: 9 }, () => {
      retry.onConnected();
      return retry.onDraining(100);
    });
    expect(pauses).toEqual([100, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    jest.restoreAllMocks();
  });

  it('is no later after a failure because services went down before', () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    const retry = retryAfter(0);
    for (let i = 0; i < 9; i++) retry.onDraining(100);
    expect([retry.afterFailure(), retry.afterFailure()]).toEqual([500, 1_000]);
    jest.restoreAllMocks();
  });

  it('is when a draining service says, once streams have lasted', () => {
    const retry = retryAfter(9);
    for (let i = 0; i < 9; i++) {
      retry.onConnected();
      jest.advanceTimersByTime(10_000);
      expect(retry.onDraining(100)).toBe(100);
    }
  });
});
