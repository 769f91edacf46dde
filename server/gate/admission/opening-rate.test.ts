import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { SluiceError } from '../../errors.js';
import { OpeningRate } from './opening-rate.js';

const STEP_MS = 10;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Milliseconds to wait; `null` for who may enter. */
function tryToEnter(rate: OpeningRate): number | null {
  try {
    rate.enter();
    return null;
  } catch (error) {
    const { code, retryAfterMs } = error as SluiceError;
    if (code !== 'UNAVAILABLE' || retryAfterMs === undefined) throw error;
    return retryAfterMs;
  }
}

function enterMany(rate: OpeningRate, count: number): number {
  const waits = Array.from({ length: count }, () => tryToEnter(rate));
  return waits.filter((waitMs) => waitMs === null).length;
}

/** What becomes of clients that come at once, and come back when they are asked to. */
function storm(rate: OpeningRate, clients: number) {
  const due = new Map([[0, clients]]);
  const enteredIn = new Map<number, number>();
  let attempts = 0;
  let inside = 0;
  let step = 0;
  for (; inside < clients; step++) {
    for (let n = due.get(step) ?? 0; n > 0; n--) {
      attempts++;
      const waitMs = tryToEnter(rate);
      if (waitMs === null) {
        inside++;
        const second = Math.floor((step * STEP_MS) / 1_000);
        enteredIn.set(second, (enteredIn.get(second) ?? 0) + 1);
      } else {
        const back = step + Math.max(1, Math.round(waitMs / STEP_MS));
        due.set(back, (due.get(back) ?? 0) + 1);
      }
    }
    jest.advanceTimersByTime(STEP_MS);
  }
  return {
    seconds: (step * STEP_MS) / 1_000,
    attemptsEach: attempts / clients,
    mostInASecond: Math.max(...enteredIn.values()),
  };
}

describe('the rate at which streams are opened', () => {
  it('lets so many in a second, and the rest of them later', () => {
    const rate = new OpeningRate(1_000);
    expect(enterMany(rate, 1_000)).toBe(100);
    let entered = 0;
    for (let step = 0; step < 100; step++) {
      jest.advanceTimersByTime(STEP_MS);
      entered += enterMany(rate, 100);
    }
    expect(entered).toBeGreaterThanOrEqual(999);
    expect(entered).toBeLessThanOrEqual(1_000);
  });

  it('saves up no more than a moment', () => {
    const rate = new OpeningRate(1_000);
    jest.advanceTimersByTime(3_600_000);
    expect(enterMany(rate, 1_000)).toBe(100);
  });

  it('makes no room in a turn of the event loop that is held for long', async () => {
    jest.useRealTimers();
    const rate = new OpeningRate(1_000);
    expect(enterMany(rate, 200)).toBe(100);
    const until = performance.now() + 100;
    while (performance.now() < until);
    expect(enterMany(rate, 200)).toBe(0);
    await new Promise(setImmediate);
    expect(enterMany(rate, 200)).toBeGreaterThanOrEqual(99);
  });

  it.each([
    [1_000, 10_000],
    [100, 1_000],
    [10, 200],
    [1_000, 2_000],
  ])(
    'of %i a second spreads %i that come at once over the time that it takes to let them in',
    (perSecond, clients) => {
      const { seconds, attemptsEach, mostInASecond } = storm(new OpeningRate(perSecond), clients);
      const least = clients / perSecond;
      expect(seconds).toBeGreaterThanOrEqual(least - 2);
      expect(seconds).toBeLessThan(1.6 * least + 3);
      expect(attemptsEach).toBeLessThan(2.6);
      expect(mostInASecond).toBeLessThanOrEqual(1.1 * perSecond + Math.min(perSecond, 100));
    },
  );

  it('sends nobody away for minutes, and so many not to the same moment', () => {
    const rate = new OpeningRate(1);
    const waits = Array.from({ length: 10_000 }, () => tryToEnter(rate) ?? 0).slice(5_000);
    expect(Math.max(...waits)).toBeLessThan(125_000);
    expect(Math.min(...waits)).toBeGreaterThan(30_000);
    expect(new Set(waits.map((waitMs) => Math.round(waitMs / 1_000))).size).toBeGreaterThan(50);
  });

  it('forgets those who were sent away as their time comes', () => {
    const rate = new OpeningRate(100);
    enterMany(rate, 10_000);
    jest.advanceTimersByTime(130_000);
    expect(enterMany(rate, 100)).toBe(100);
    expect(tryToEnter(rate)).toBeLessThan(1_000);
  });

  it('is as high as one likes where there is no limit', () => {
    expect(enterMany(new OpeningRate(null), 100_000)).toBe(100_000);
  });
});
