import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AbortScope, pause, untilAborted } from './abort-scope.js';

/** How many listeners a signal has: what outlives its work here would pile up with every reconnect. */
function countListeners(signal: AbortSignal): () => number {
  const listeners = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  jest.spyOn(signal, 'addEventListener').mockImplementation((type, listener, options) => {
    listeners.add(listener);
    add(type, listener, options);
  });
  jest.spyOn(signal, 'removeEventListener').mockImplementation((type, listener, options) => {
    listeners.delete(listener);
    remove(type, listener, options);
  });
  return () => listeners.size;
}

describe('a scope', () => {
  let outer: AbortController;
  let listeners: () => number;
  const reason = new Error('enough');

  beforeEach(() => {
    jest.useFakeTimers();
    outer = new AbortController();
    listeners = countListeners(outer.signal);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('aborts with the reason of whoever started it, also if that was before', () => {
    const scope = new AbortScope(outer.signal);
    outer.abort(reason);
    expect(scope.signal.reason).toBe(reason);
    expect(new AbortScope(outer.signal).signal.reason).toBe(reason);
  });

  it('aborts at its deadline, unless that was taken back', () => {
    const scope = new AbortScope(null);
    scope.abortAfter(10, () => 'taken back')();
    scope.abortAfter(20, () => reason);
    jest.advanceTimersByTime(19);
    expect(scope.signal.aborted).toBe(false);
    jest.advanceTimersByTime(1);
    expect(scope.signal.reason).toBe(reason);
  });

  it('leaves no timer and no listener when it ends', () => {
    const scope = new AbortScope(outer.signal);
    scope.abortAfter(10, () => reason);
    expect([jest.getTimerCount(), listeners()]).toEqual([1, 1]);
    scope.end();
    expect([jest.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  it('is waited in only until the abort, and leaves no listener on the signal', async () => {
    await expect(untilAborted(Promise.resolve(1), outer.signal)).resolves.toBe(1);
    await expect(untilAborted(Promise.reject(reason), outer.signal)).rejects.toBe(reason);
    expect(listeners()).toBe(0);
    const waiting = untilAborted(new Promise(() => {}), outer.signal);
    outer.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(untilAborted(Promise.resolve(1), outer.signal)).rejects.toBe(reason);
  });

  it('pauses for a time or until the abort, and leaves neither timer nor listener', async () => {
    const whole = pause(10, outer.signal);
    jest.advanceTimersByTime(10);
    await whole;
    expect(listeners()).toBe(0);
    const broken = pause(10, outer.signal);
    outer.abort();
    await broken;
    await pause(10, outer.signal);
    expect([jest.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  it.each([Number.POSITIVE_INFINITY, Number.NaN, 2 ** 40])(
    'pauses for ten minutes where it is to be %d ms',
    async (ms) => {
      let isOver = false;
      const whole = pause(ms, outer.signal).then(() => {
        isOver = true;
      });
      await jest.advanceTimersByTimeAsync(599_999);
      expect(isOver).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      await whole;
    },
  );
});
