import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FailedAttempts } from './failed-attempts.js';
import { WindowedFailedAttempts } from './windowed-failed-attempts.js';

const MINUTE = 60_000;
const ADDRESS = '192.0.2.1';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function fail(attempts: FailedAttempts, times: number, address = ADDRESS): void {
  for (let time = 0; time < times; time++) attempts.note(address);
}

function refusalOf(attempts: FailedAttempts, address = ADDRESS): unknown {
  try {
    attempts.check(address);
    return null;
  } catch (error) {
    return error;
  }
}

describe('failed attempts', () => {
  it('let an address wait when there were as many in a minute as there may be', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 5 });
    fail(attempts, 4);
    expect(refusalOf(attempts)).toBeNull();
    fail(attempts, 1);
    expect(refusalOf(attempts)).toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
      message: 'Too many attempts of this address have failed.',
      retryAfterMs: expect.any(Number),
    });
  });

  it('let nobody wait for those of others', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 5 });
    fail(attempts, 5);
    expect(refusalOf(attempts, '192.0.2.2')).toBeNull();
    expect(refusalOf(attempts, '2001:db8::1')).toBeNull();
  });

  it('are counted together for one network of IPv6', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 2 });
    fail(attempts, 1, '2001:db8:1:2::1');
    fail(attempts, 1, '2001:db8:1:2:ffff::2');
    expect(refusalOf(attempts, '2001:db8:1:2:3::3')).not.toBeNull();
    expect(refusalOf(attempts, '2001:db8:1:3::1')).toBeNull();
  });

  it('are forgiven with time, and at once by nobody', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 10 });
    fail(attempts, 10);
    jest.advanceTimersByTime(2 * MINUTE);
    expect(refusalOf(attempts)).toBeNull();
    fail(attempts, 9);
    expect(refusalOf(attempts)).toBeNull();
    fail(attempts, 1);
    expect(refusalOf(attempts)).not.toBeNull();
  });

  it('are no more where two minutes meet', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 10 });
    jest.advanceTimersByTime(MINUTE - (performance.now() % MINUTE) - 1_000);
    fail(attempts, 10);
    jest.advanceTimersByTime(2_000);
    fail(attempts, 1);
    expect(refusalOf(attempts)).not.toBeNull();
    jest.advanceTimersByTime(MINUTE - 5_000);
    expect(refusalOf(attempts)).toBeNull();
  });

  it('that were refused do not count', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 3 });
    fail(attempts, 3);
    for (let time = 0; time < 1_000; time++) expect(refusalOf(attempts)).not.toBeNull();
    jest.advanceTimersByTime(2 * MINUTE);
    expect(refusalOf(attempts)).toBeNull();
  });

  it('make each wait for a time of its own', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 1 });
    fail(attempts, 1);
    const waits = Array.from(
      { length: 20 },
      () => (refusalOf(attempts) as { retryAfterMs: number }).retryAfterMs,
    );
    expect(new Set(waits).size).toBeGreaterThan(10);
  });

  it('of those who failed longest ago are forgotten where there are too many to remember', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: 1, maxNetworks: 2 });
    for (const last of [1, 2, 3]) fail(attempts, 1, `192.0.2.${last}`);
    expect(refusalOf(attempts, '192.0.2.1')).toBeNull();
    expect(refusalOf(attempts, '192.0.2.2')).not.toBeNull();
    expect(refusalOf(attempts, '192.0.2.3')).not.toBeNull();
  });

  it('are not counted where there is no limit', () => {
    const attempts = new WindowedFailedAttempts({ maxPerMinute: null });
    fail(attempts, 10_000);
    expect(refusalOf(attempts)).toBeNull();
  });
});
