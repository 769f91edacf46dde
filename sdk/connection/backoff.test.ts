import { describe, expect, it } from '@jest/globals';
import { TERMINAL_RETRY_MS } from '@sluice/protocol';
import { backoffMs, clampWait, DEFAULT_BACKOFF, raiseBackoff } from '../connection/backoff.js';

describe('the backoff', () => {
  it('doubles its bound with each failure, up to the ceiling', () => {
    const bounds = [0, 1, 2, 5, 6, 7, 2_000].map((n) => backoffMs(n, DEFAULT_BACKOFF, 1));
    expect(bounds).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('takes anything below the bound', () => {
    expect(backoffMs(3, DEFAULT_BACKOFF, 0)).toBe(0);
    expect(backoffMs(3, DEFAULT_BACKOFF, 0.5)).toBe(2_000);
  });

  it.each([
    [0, 500, 30_000],
    [3_000, 3_000, 30_000],
    [60_000, 60_000, 60_000],
    [400_000, 300_000, 300_000],
    [TERMINAL_RETRY_MS, 500, 30_000],
    [99_999_999_999, 500, 30_000],
  ])('makes of "retry: %d" the bounds %d and %d', (retryMs, baseMs, ceilMs) => {
    expect(raiseBackoff(DEFAULT_BACKOFF, retryMs)).toEqual({ baseMs, ceilMs });
  });

  it('waits neither a negative time nor more than five minutes because somebody said so', () => {
    expect([-1, 7, 1e12].map(clampWait)).toEqual([0, 7, 300_000]);
  });
});
