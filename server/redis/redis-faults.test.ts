import { describe, expect, it, jest } from '@jest/globals';
import { startCutProxy } from '../../test/support/cut-proxy.js';
import { Inbox, withResolvers } from '../../test/support/inbox.js';
import { COUNT, openTestRedis, TELL } from '../../test/support/open-test-redis.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';
import { until } from '../../test/support/until.js';
import type { Redis } from './redis.js';
import { script } from './script.js';

jest.setTimeout(30_000);

const DEADLINE_MS = 500;
/** Until it is known that Redis is gone without a word: the deadline, the time between two looks, and a busy machine. */
const NOTICED_MS = DEADLINE_MS + 1_000;
const QUICK = { REDIS_DEADLINE_MS: String(DEADLINE_MS) };
const KEY = 'sluice:n:{a}';
const UNAVAILABLE = { code: 'UNAVAILABLE' };

const count = (redis: Redis) => redis.run(COUNT, [KEY], []);

/** How long a command takes that is to fail. */
async function refusedAfter(command: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await expect(command).rejects.toMatchObject(UNAVAILABLE);
  return performance.now() - start;
}

describeWith('redis-server', 'a Redis that fails', () => {
  it('is away after a kill, and is back with its channels before its hooks, before it is available', async () => {
    await using server = await RedisServer.start();
    await using opened = await openTestRedis(server.url, QUICK);
    const { redis } = opened;
    const told = new Inbox<string>('a message');
    await redis.subscribe(redis.key('c', 'a'), (message) => told.push(message.toString()));
    const restored: string[] = [];
    redis.onRestored(async () => {
      expect(redis.isAvailable).toBe(false);
      await redis.run(TELL, [redis.key('c', 'a')], ['while it is restored']);
      restored.push('first');
    });
    redis.onRestored(async () => void restored.push('second'));
    await count(redis);
    await server.kill();
    await opened.becomes('away');
    expect(await refusedAfter(count(redis))).toBeLessThan(NOTICED_MS);
    await server.start();
    await opened.becomes('available');
    expect(restored).toEqual(['first', 'second']);
    await told.find((message) => message === 'while it is restored');
    expect(await count(redis)).toBe(2);
  });

  it('runs what was not sent as soon as it is back within the deadline, and once', async () => {
    await using server = await RedisServer.start();
    await using opened = await openTestRedis(server.url, { REDIS_DEADLINE_MS: '8000' });
    await server.kill();
    await opened.becomes('away');
    const counted = Promise.all(Array.from({ length: 20 }, () => count(opened.redis)));
    await server.start();
    expect((await counted).toSorted()).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1).toSorted(),
    );
  });

  it('never sends again what may have been executed', async () => {
    await using server = await RedisServer.start();
    await using proxy = await startCutProxy(server.port);
    await using opened = await openTestRedis(`redis://127.0.0.1:${proxy.port}`);
    // What is sent arrives, and no answer comes back.
    proxy.shape({ delayMs: 100 });
    const counted = refusedAfter(count(opened.redis));
    await until('it was executed', async () => (await server.ask('GET', KEY)) === '1');
    proxy.cutAll();
    proxy.shape({ delayMs: 0 });
    expect(await counted).toBeLessThan(1_000);
    await opened.becomes('available');
    expect(await count(opened.redis)).toBe(2);
  });

  it.each(['a pause', 'a half-open connection', 'a stall'] as const)(
    'keeps the deadline and is known to be away in %s',
    async (fault) => {
      await using server = await RedisServer.start();
      await using proxy = await startCutProxy(server.port);
      await using opened = await openTestRedis(`redis://127.0.0.1:${proxy.port}`, QUICK);
      const { redis } = opened;
      if (fault === 'a pause') server.pause();
      else if (fault === 'a stall') proxy.stall();
      else proxy.halfOpen();
      const away = opened.becomes('away', NOTICED_MS);
      for (const took of await Promise.all([count(redis), count(redis)].map(refusedAfter))) {
        expect(took).toBeGreaterThan(DEADLINE_MS - 50);
        expect(took).toBeLessThan(DEADLINE_MS + 300);
      }
      await away;
      if (fault === 'a pause') server.resume();
      else proxy.resume();
      await opened.becomes('available');
      expect(await count(redis)).toBeGreaterThan(0);
    },
  );

  it('keeps the deadline on a slow network, and takes the connection for lost', async () => {
    await using server = await RedisServer.start();
    await using proxy = await startCutProxy(server.port);
    await using opened = await openTestRedis(`redis://127.0.0.1:${proxy.port}`, QUICK);
    const big = 'x'.repeat(20_000);
    await opened.redis.call('SET', KEY, big);
    proxy.shape({ bytesPerSecond: 2_000 });
    const away = opened.becomes('away', NOTICED_MS + DEADLINE_MS);
    expect(await refusedAfter(opened.redis.call('GET', KEY))).toBeLessThan(DEADLINE_MS + 300);
    await away;
    proxy.shape({ bytesPerSecond: Number.POSITIVE_INFINITY });
    await opened.becomes('available');
  });

  it('refuses what Redis refuses for good at once, and waits for what passes', async () => {
    await using server = await RedisServer.start();
    await using opened = await openTestRedis(server.url, QUICK);
    const { redis } = opened;
    await server.ask('CONFIG', 'SET', 'maxmemory', '1');
    expect(await refusedAfter(count(redis))).toBeLessThan(200);
    await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    await server.ask('CONFIG', 'SET', 'min-replicas-to-write', '1');
    expect(await refusedAfter(count(redis))).toBeGreaterThan(DEADLINE_MS - 100);
    const waiting = count(redis);
    await server.ask('CONFIG', 'SET', 'min-replicas-to-write', '0');
    expect(await waiting).toBe(1);
  });

  it('keeps the deadline while a script runs for ever', async () => {
    await using server = await RedisServer.start({ args: ['--busy-reply-threshold', '100'] });
    await using opened = await openTestRedis(server.url, QUICK);
    const endless = script('while true do end', ['no-writes']);
    const running = refusedAfter(opened.redis.run(endless, [KEY], []));
    expect(await refusedAfter(count(opened.redis))).toBeLessThan(DEADLINE_MS + 300);
    await running;
    await until('it is killed', async () => (await server.ask('SCRIPT', 'KILL')) === 'OK');
    await opened.becomes('available');
    // What was sent behind the script may have been executed when it was killed.
    expect(await count(opened.redis)).toBeGreaterThan(0);
  });

  it('asks where the primary is when its server is a replica by now', async () => {
    await using other = await RedisServer.start();
    await using server = await RedisServer.start();
    await using opened = await openTestRedis(server.url, QUICK);
    await server.ask('REPLICAOF', '127.0.0.1', String(other.port));
    expect(await refusedAfter(count(opened.redis))).toBeLessThan(DEADLINE_MS + 300);
    await opened.becomes('away');
    await opened.failures.find((error) => (error as Error).message === 'the server is a replica');
    await server.ask('REPLICAOF', 'NO', 'ONE');
    await opened.becomes('available');
    expect(await count(opened.redis)).toBe(1);
  });

  it('restores when another server answers on the same connection', async () => {
    await using server = await RedisServer.start({ args: ['--enable-debug-command', 'local'] });
    await using opened = await openTestRedis(server.url);
    const restored = withResolvers<void>();
    opened.redis.onRestored(async () => restored.resolve());
    await server.ask('DEBUG', 'CHANGE-REPL-ID');
    await restored.promise;
    await opened.becomes('available');
    expect(opened.failures.items).toEqual([]);
  });

  describe('whose restoring fails', () => {
    it('is tried again with pauses that grow, and begins anew after another break', async () => {
      await using server = await RedisServer.start();
      await using opened = await openTestRedis(server.url, QUICK);
      const tries = new Inbox<number>('a try');
      opened.redis.onRestored(async () => {
        tries.push(performance.now());
        if (tries.items.length === 4) await server.kill();
        if (tries.items.length < 4) throw new Error('not yet');
      });
      await server.kill();
      await opened.becomes('away');
      await server.start();
      await tries.atLeast(4);
      expect(opened.redis.isAvailable).toBe(false);
      const [first = 0, , , fourth = 0] = tries.items;
      expect(fourth - first).toBeGreaterThan(100 + 200 + 400);
      await until('it is gone', () => !server.isRunning);
      await server.start();
      await opened.becomes('available');
      expect(tries.items.length).toBeGreaterThanOrEqual(5);
    });
  });

  it('is not told of the same failure again and again', async () => {
    await using server = await RedisServer.start();
    await using opened = await openTestRedis(server.url, QUICK);
    await server.kill();
    await opened.becomes('away');
    await refusedAfter(count(opened.redis));
    await refusedAfter(count(opened.redis));
    const words = opened.failures.items.map((error) => (error as Error).message);
    expect(new Set(words).size).toBe(words.length);
    expect(words.join()).toContain('ECONNREFUSED');
  });

  it('refuses more than may be under way, and ends what waits when it is closed', async () => {
    await using server = await RedisServer.start();
    await using opened = await openTestRedis(server.url, { REDIS_DEADLINE_MS: '20000' });
    server.pause();
    const commands = Array.from({ length: 20_000 }, () => count(opened.redis));
    const ended = Promise.allSettled(commands);
    expect(await refusedAfter(count(opened.redis))).toBeLessThan(1_000);
    const start = performance.now();
    await opened.redis.close();
    expect((await ended).every(({ status }) => status === 'rejected')).toBe(true);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
