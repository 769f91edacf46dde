import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ServiceClock } from './service-clock.js';

const SERVICE_NOW = Date.parse('2026-01-01T00:00:00Z');

describe('the clock of the service', () => {
  let clock: ServiceClock;

  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    clock = new ServiceClock();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is that of this machine at first', () => {
    jest.setSystemTime(5);
    expect(clock.now()).toBe(5);
  });

  it('goes on from the word of the service, whose seconds are whole', () => {
    clock.set(SERVICE_NOW);
    jest.advanceTimersByTime(1_000);
    expect(clock.now()).toBe(SERVICE_NOW + 1_500);
  });

  it('goes on while the machine sleeps', () => {
    clock.set(SERVICE_NOW);
    jest.setSystemTime(3_600_000);
    expect(clock.now()).toBe(SERVICE_NOW + 3_600_500);
  });

  it('does not go back with the clock of the machine', () => {
    clock.set(SERVICE_NOW);
    jest.setSystemTime(-3_600_000);
    jest.advanceTimersByTime(1_000);
    expect(clock.now()).toBe(SERVICE_NOW + 1_500);
  });
});
