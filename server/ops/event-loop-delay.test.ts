import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { until } from '../../test/support/until.js';
import { EventLoopDelay } from './event-loop-delay.js';

const WINDOW_MS = 15_000;
const BLOCKED_MS = 400;
/** As is seen of it at the least. */
const SEEN = (BLOCKED_MS - 100) / 1_000;

/** Holds up everything on this thread. */
function block(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS);
}

afterEach(() => {
  jest.useRealTimers();
});

describe('the delay of the event loop', () => {
  it('is told to all who ask, for at least one window and no longer than two', async () => {
    jest.useFakeTimers({ doNotFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
    const delay = new EventLoopDelay();
    try {
      await until('it runs', () => delay.read().max > 0);
      block();
      await until('the block is seen', () => delay.read().max >= SEEN);
      expect(delay.read()).toEqual(delay.read());
      expect(delay.read().max).toBeLessThan(10);

      jest.advanceTimersByTime(WINDOW_MS);
      expect(delay.read().max).toBeGreaterThanOrEqual(SEEN);
      jest.advanceTimersByTime(WINDOW_MS);
      expect(delay.read().max).toBeLessThan(SEEN);
    } finally {
      delay.close();
    }
  });
});
