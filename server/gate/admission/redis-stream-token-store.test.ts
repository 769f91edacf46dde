import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  describeStreamTokenStore,
  GRANT,
  grantOf,
} from '../../../test/contracts/stream-token-store.contract.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import { readConfig } from '../../config.js';
import { openRedis } from '../../redis/open-redis.js';
import type { Redis } from '../../redis/redis.js';
import { RedisStreamTokenStore } from './redis-stream-token-store.js';
import { STREAM_TOKEN_LIMITS } from './stream-token-limits.js';

const LIFE_MS = 60_000;

describeWith('redis-server', 'stream tokens in Redis', () => {
  let server: RedisServer;
  let redis: Redis;
  let other: Redis;

  async function connect(): Promise<Redis> {
    const { redis: settings } = readConfig({ REDIS_URL: server.url });
    if (settings === null) throw new Error('no Redis');
    return openRedis({ settings, onFailure: () => {} });
  }

  beforeAll(async () => {
    server = await RedisServer.start();
    [redis, other] = await Promise.all([connect(), connect()]);
  });
  afterAll(async () => {
    await redis?.close();
    await other?.close();
    await server?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await redis.call('FLUSHALL');
  });

  describeStreamTokenStore('Redis', () => ({
    open: async (limits) => new RedisStreamTokenStore(redis, limits),
    dispose: async () => {},
  }));

  describe('on two nodes', () => {
    let here: RedisStreamTokenStore;
    let there: RedisStreamTokenStore;
    beforeEach(() => {
      here = new RedisStreamTokenStore(redis);
      there = new RedisStreamTokenStore(other);
    });

    it('are given out at the other, to one of many that ask at both', async () => {
      await here.put('h1', GRANT, LIFE_MS);
      const asking = Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? here : there).take('h1'));
      expect((await Promise.all(asking)).filter((grant) => grant !== null)).toEqual([GRANT]);
    });

    it('are counted together, exactly, however many are asked for at once', async () => {
      const asking = Array.from({ length: 300 }, (_, n) =>
        (n % 2 === 0 ? here : there).put(`h${n}`, GRANT, LIFE_MS),
      );
      const outcomes = await Promise.allSettled(asking);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(
        STREAM_TOKEN_LIMITS.maxPerSubject,
      );
      await Promise.all([here, there].map((store) => store.put('x', grantOf('bob'), LIFE_MS)));
    });

    it('are as frozen as those that were verified here', async () => {
      await here.put('h1', GRANT, LIFE_MS);
      const claims = (await there.take('h1'))?.principal.claims;
      expect(Object.isFrozen(claims?.['permissions'])).toBe(true);
    });
  });

  it('leave nothing behind when they are used, or their time is over', async () => {
    const store = new RedisStreamTokenStore(redis);
    await store.put('h1', GRANT, LIFE_MS);
    await store.take('h1');
    expect(await redis.call('DBSIZE')).toBe(0);
    await store.put('h2', grantOf('bob'), LIFE_MS);
    const keys = (await redis.call('KEYS', '*')) as Buffer[];
    expect(keys).toHaveLength(4);
    for (const key of keys) {
      expect(await redis.call('PTTL', key)).toBeGreaterThan(LIFE_MS - 10_000);
      expect(await redis.call('PTTL', key)).toBeLessThanOrEqual(LIFE_MS);
    }
  });

  it('whose time is over make room beside those that wait on', async () => {
    const limits = { ...STREAM_TOKEN_LIMITS, maxPerSubject: 2 };
    const store = new RedisStreamTokenStore(redis, limits);
    await store.put('h1', GRANT, 50);
    await store.put('h2', GRANT, LIFE_MS);
    await until('there is room', async () => {
      await store.put('h3', GRANT, LIFE_MS);
      return true;
    });
    expect(await store.take('h2')).toEqual(GRANT);
  });

  it('are given and taken where Redis is full', async () => {
    await server.ask('CONFIG', 'SET', 'maxmemory', '1');
    try {
      const store = new RedisStreamTokenStore(redis);
      await store.put('h1', GRANT, LIFE_MS);
      expect(await store.take('h1')).toEqual(GRANT);
    } finally {
      await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    }
  });

  it('lie in one slot of a cluster', async () => {
    const store = new RedisStreamTokenStore(redis);
    await store.put('h1', GRANT, LIFE_MS);
    const keys = (await redis.call('KEYS', '*')) as Buffer[];
    expect(new Set(keys.map((key) => /\{.*?\}/.exec(String(key))?.[0]))).toEqual(
      new Set(['{all}']),
    );
  });

  it('are neither given nor taken while Redis is away, and come back with it', async () => {
    const store = new RedisStreamTokenStore(redis);
    await store.put('h1', GRANT, LIFE_MS);
    await server.kill();
    const unavailable = { code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) };
    await Promise.all([
      expect(store.put('h2', GRANT, LIFE_MS)).rejects.toMatchObject(unavailable),
      expect(store.take('h1')).rejects.toMatchObject(unavailable),
    ]);
    await server.start();
    expect(await store.take('h1')).toEqual(GRANT);
  });
});
