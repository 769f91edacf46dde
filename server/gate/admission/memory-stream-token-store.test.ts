import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  describeStreamTokenStore,
  GRANT,
} from '../../../test/contracts/stream-token-store.contract.js';
import { MemoryStreamTokenStore } from './memory-stream-token-store.js';

describeStreamTokenStore('the memory', () => ({
  open: async (limits) => new MemoryStreamTokenStore(limits),
  dispose: async () => {},
}));

describe('the memory of stream tokens', () => {
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('is held 100 times by a subject at the most, unless told otherwise', async () => {
    const store = new MemoryStreamTokenStore();
    for (let n = 0; n < 100; n++) await store.put(String(n), GRANT, 1_000);
    await expect(store.put('x', GRANT, 1_000)).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
    });
  });

  it('is not moved by a clock that is put back or forward', async () => {
    jest.useFakeTimers();
    const store = new MemoryStreamTokenStore();
    await store.put('h1', GRANT, 1_000);
    await store.put('h2', GRANT, 1_000);
    jest.setSystemTime(Date.now() + 86_400_000);
    expect(await store.take('h1')).toEqual(GRANT);
    jest.setSystemTime(0);
    jest.advanceTimersByTime(1_000);
    expect(await store.take('h2')).toBeNull();
  });

  it('judges the time when a token is taken, however late it is swept', async () => {
    const store = new MemoryStreamTokenStore();
    await store.put('h1', GRANT, 30_000);
    await store.put('h2', GRANT, 30_000);
    const putAt = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(putAt + 29_000);
    expect(await store.take('h1')).toEqual(GRANT);
    clock.mockReturnValue(putAt + 30_000);
    expect(await store.take('h2')).toBeNull();
  });

  it('has room for one more as soon as the time of another is over', async () => {
    jest.useFakeTimers();
    const store = new MemoryStreamTokenStore({
      maxTokens: 2,
      maxPerWorkspace: 2,
      maxPerSubject: 2,
    });
    const put = (hash: string) => store.put(hash, GRANT, 30_000);
    await put('h1');
    jest.advanceTimersByTime(20_000);
    await put('h2');
    jest.advanceTimersByTime(11_000);
    await put('h3');
    jest.advanceTimersByTime(18_000);
    await expect(put('h4')).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    jest.advanceTimersByTime(1_000);
    await put('h4');
  });

  it('lets go of what nobody comes for, and of its timer', async () => {
    jest.useFakeTimers();
    const store = new MemoryStreamTokenStore();
    const putOne = async (hash: string) => {
      const grant = { ...GRANT };
      await store.put(hash, grant, 30_000);
      return new WeakRef(grant);
    };
    const first = await putOne('h1');
    jest.advanceTimersByTime(20_000);
    const second = await putOne('h2');
    jest.advanceTimersByTime(10_000);
    jest.useRealTimers();
    await collectGarbage();
    expect(first.deref()).toBeUndefined();
    expect(second.deref()).toBeDefined();
  });

  it('keeps no timer where it keeps nothing', async () => {
    jest.useFakeTimers();
    const store = new MemoryStreamTokenStore();
    await store.put('h1', GRANT, 30_000);
    jest.advanceTimersByTime(20_000);
    await store.put('h2', GRANT, 30_000);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(40_000);
    expect(jest.getTimerCount()).toBe(0);
  });
});

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  // What a WeakRef was made of in this turn of the event loop is kept until its end.
  await new Promise(setImmediate);
  if (typeof gc === 'function') gc();
}
