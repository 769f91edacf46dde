import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PLAIN, type Setting, System, settled } from './system.js';

const ALL = { topics: [], iterates: false };
const DUE_MS = 3_000;
const GRACE_MS = 5_000;

describe('a client whose service goes down', () => {
  let system: System;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    // Every pause is as short as it may be.
    jest.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterEach(async () => {
    await system.conclude();
    system.dispose();
    jest.clearAllTimers();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  /** A client with a live stream that has been told to move in three seconds, and was put through nothing so far. */
  async function drain(graceMs: number | null, setting: Partial<Setting> = {}): Promise<void> {
    system = new System({ ...PLAIN, ...setting });
    system.subscribe(ALL);
    await settled();
    system.service.publish('a.1');
    system.service.drainStreams(DUE_MS, graceMs);
    await settled();
    system.states.length = 0;
  }

  /** Lets time pass, with an event before and behind it. */
  async function pass(ms: number): Promise<void> {
    system.service.publish('a.1');
    await system.advance(ms);
    system.service.publish('a.1');
    await settled();
    system.check();
  }

  it('moves when its time has come, beside the live stream and unseen', async () => {
    await drain(GRACE_MS);
    await pass(DUE_MS - 1);
    expect(system.service.requests).toBe(1);
    await pass(1);
    expect(system.service.requests).toBe(2);
    expect(system.service.openStreams).toHaveLength(1);
    await pass(GRACE_MS);
    expect([system.service.requests, system.states, system.errors]).toEqual([2, [], []]);
  });

  it('goes on with the live stream while the next one cannot be had, and tries again', async () => {
    await drain(60_000);
    for (let i = 0; i < 3; i++) system.service.receiveWith({ kind: 'network' });
    jest.mocked(Math.random).mockReturnValue(0.9);
    await pass(DUE_MS);
    expect(system.service.requests).toBe(2);
    await pass(50_000);
    expect(system.service.requests).toBe(5);
    expect(system.service.openStreams).toHaveLength(1);
    expect(system.states).toEqual([]);
    expect(system.errors.map(({ code, willRetry }) => [code, willRetry])).toEqual(
      Array(3).fill(['NETWORK_ERROR', true]),
    );
  });

  it('waits beside the live stream as long as the next node has asked for', async () => {
    await drain(60_000);
    const busy = { kind: 'refusal', code: 'UNAVAILABLE', retryAfterSeconds: 20 } as const;
    system.service.receiveWith(busy);
    await pass(DUE_MS + 19_999);
    expect(system.service.requests).toBe(2);
    await pass(1);
    expect([system.service.requests, system.states]).toEqual([3, []]);
  });

  it('reconnects at its own pace where its stream ends before the next one is had', async () => {
    await drain(GRACE_MS);
    system.service.isReachable = false;
    jest.mocked(Math.random).mockReturnValue(0.9);
    await pass(DUE_MS + GRACE_MS - 1);
    expect(system.states).toEqual([]);
    await pass(1);
    expect(system.client.state).toBe('reconnecting');
    expect(system.errors.every(({ code }) => code === 'NETWORK_ERROR')).toBe(true);
    system.service.isReachable = true;
    await pass(60_000);
    expect(system.client.state).toBe('connected');
  });

  it('comes back in its time, without an error, where its stream ends at once', async () => {
    await drain(null);
    expect(system.client.state).toBe('reconnecting');
    await pass(DUE_MS - 1);
    expect(system.service.requests).toBe(1);
    await pass(1);
    expect([system.service.requests, system.client.state]).toEqual([2, 'connected']);
    expect(system.errors).toEqual([]);
  });

  it.each([null, 0, GRACE_MS])(
    'does not hammer one that drains each stream as soon as it is let in (grace %p)',
    async (graceMs) => {
      await drain(graceMs);
      jest.mocked(Math.random).mockReturnValue(0.5);
      const { service } = system;
      for (let i = 0; i < 1_200; i++) {
        service.drainStreams(0, graceMs);
        await system.advance(50);
      }
      expect(service.requests).toBeLessThan(15);
    },
  );

  it('moves at once with a token that is set meanwhile, and once', async () => {
    await drain(GRACE_MS);
    system.setToken('new');
    await pass(0);
    expect(system.service.requests).toBe(2);
    await pass(60_000);
    expect([system.service.requests, system.states, system.errors]).toEqual([2, [], []]);
  });

  it('does not call off a next stream that is on its way when its time has come', async () => {
    await drain(GRACE_MS);
    system.service.receiveWith({ kind: 'slow-start', ms: DUE_MS + 1_000 });
    system.setToken('new');
    await pass(DUE_MS);
    expect(system.service.openStreams).toHaveLength(2);
    await pass(60_000);
    expect([system.service.requests, system.states]).toEqual([2, []]);
  });

  it('moves at once with a token that is renewed meanwhile, and once', async () => {
    await drain(GRACE_MS, { tokens: 'provider' });
    system.service.announceExpiry();
    await pass(0);
    expect(system.service.requests).toBe(2);
    await pass(60_000);
    expect([system.service.requests, system.states, system.errors]).toEqual([2, [], []]);
  });

  it('moves with another token where its own runs out meanwhile, and once', async () => {
    await drain(GRACE_MS, { tokens: 'provider' });
    system.service.expireTokens();
    await pass(60_000);
    expect([system.service.requests, system.client.state]).toEqual([2, 'connected']);
    expect(system.errors).toMatchObject([{ code: 'TOKEN_EXPIRED', willRetry: true }]);
  });

  it('moves with another token where the next node refuses that of now', async () => {
    await drain(GRACE_MS, { tokens: 'provider' });
    system.service.receiveWith({ kind: 'refusal', code: 'TOKEN_EXPIRED' });
    await pass(60_000);
    expect([system.service.requests, system.states]).toEqual([3, []]);
  });

  it('lets others subscribe at once, on the next stream', async () => {
    await drain(GRACE_MS);
    system.subscribe({ topics: ['b.1'], iterates: false, lastEventId: 'ZZZZZZZZ-3' });
    await pass(0);
    expect(system.subscriptions.every(({ isConnected }) => isConnected)).toBe(true);
    expect(system.service.requests).toBe(2);
    await pass(60_000);
    expect([system.service.requests, system.states]).toEqual([2, []]);
  });

  it.each([0, DUE_MS])('opens nothing when its page is put away after %i ms', async (ms) => {
    await drain(GRACE_MS);
    system.service.receiveWith({ kind: 'slow-start', ms: 1_000 });
    await system.advance(ms);
    const { requests } = system.service;
    system.page.putAway();
    await pass(60_000);
    expect([system.service.requests, system.states]).toEqual([requests, ['suspended']]);
    system.page.bringBack();
    await pass(1_000);
    expect(system.client.state).toBe('connected');
  });

  it.each([0, DUE_MS])('leaves nothing behind when it is closed after %i ms', async (ms) => {
    await drain(GRACE_MS);
    system.service.receiveWith({ kind: 'slow-start', ms: 1_000 });
    await system.advance(ms);
    system.close('close');
    await settled();
    expect(jest.getTimerCount()).toBe(0);
    expect(system.service.openStreams).toEqual([]);
  });
});
