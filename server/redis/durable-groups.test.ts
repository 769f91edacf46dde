import { expect, it, jest } from '@jest/globals';
import { COUNT, openTestRedis } from '../../test/support/open-test-redis.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';
import { until } from '../../test/support/until.js';
import type { Redis } from './redis.js';
import { script } from './script.js';

jest.setTimeout(30_000);

const KEY = 'sluice:n:{a}';
const OTHER = 'sluice:other:{a}';
const DEADLINE_MS = 1_000;
const SETTINGS = { REDIS_MIN_REPLICAS: '1', REDIS_DEADLINE_MS: String(DEADLINE_MS) };
const UNAVAILABLE = { code: 'UNAVAILABLE' };
const NEW = script("return redis.call('INCRBY', KEYS[1], 10)");

/** Uses a server whose only replica has stopped in its tracks, behind a write that it does not have. */
async function useWithoutAnswer(use: (server: RedisServer, redis: Redis) => Promise<void>) {
  await using server = await RedisServer.start();
  const args = ['--replicaof', '127.0.0.1', String(server.port)];
  await using replica = await RedisServer.start({ args });
  await until('the replica follows', async () =>
    (await server.info('slave0'))?.includes('state=online'),
  );
  await using opened = await openTestRedis(server.url, SETTINGS);
  replica.pause();
  await expect(opened.redis.runDurably(COUNT, [KEY], [])).rejects.toMatchObject(UNAVAILABLE);
  await use(server, opened.redis);
}

describeWith('redis-server', 'writes that wait for a replica that does not answer', () => {
  it('are refused at once when Redis has refused them', async () => {
    await useWithoutAnswer(async (server, redis) => {
      await server.ask('SET', OTHER, 'no number');
      const start = performance.now();
      await expect(redis.runDurably(COUNT, [OTHER], [])).rejects.toMatchObject(UNAVAILABLE);
      expect(performance.now() - start).toBeLessThan(DEADLINE_MS / 2);
    });
  });

  it('are executed also where Redis does not know their script yet, or any more', async () => {
    await useWithoutAnswer(async (server, redis) => {
      const refused = () =>
        expect(redis.runDurably(NEW, [OTHER], [])).rejects.toMatchObject(UNAVAILABLE);
      await refused();
      expect(await server.ask('GET', OTHER)).toBe('10');
      await server.ask('SCRIPT', 'FLUSH');
      // The first one is told that it is not known; its text would have to wait for longer than it has.
      await refused();
      await refused();
      expect(Number(await server.ask('GET', OTHER))).toBeGreaterThanOrEqual(20);
    });
  });
});
