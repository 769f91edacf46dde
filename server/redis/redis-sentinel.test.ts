import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Inbox } from '../../test/support/inbox.js';
import { COUNT, openTestRedis, TELL } from '../../test/support/open-test-redis.js';
import { RedisSentinels } from '../../test/support/redis-sentinels.js';
import { describeWith } from '../../test/support/tools.js';
import { until } from '../../test/support/until.js';

jest.setTimeout(60_000);

const KEY = 'sluice:n:{a}';
const DURABLE = { REDIS_MIN_REPLICAS: '1' };
/** From the death of the primary until its successor is found. */
const FAIL_OVER_MS = 20_000;

describeWith('redis-sentinel', 'a Redis that Sentinels watch', () => {
  let sentinels: RedisSentinels;

  beforeAll(async () => {
    sentinels = await RedisSentinels.start();
  });
  afterAll(async () => {
    await sentinels[Symbol.asyncDispose]();
  });

  it('keeps what replicas have, and refuses what too few have', async () => {
    await using opened = await openTestRedis(sentinels.url, DURABLE);
    await using greedy = await openTestRedis(sentinels.url, {
      REDIS_MIN_REPLICAS: '3',
      REDIS_DEADLINE_MS: '500',
    });
    expect(await opened.redis.runDurably(COUNT, [KEY], [])).toBe(1);
    const start = performance.now();
    await expect(greedy.redis.runDurably(COUNT, [KEY], [])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(await greedy.redis.run(COUNT, [KEY], [])).toBe(3);
  });

  it('waits for replicas in groups, and says of each command what came of it', async () => {
    await using opened = await openTestRedis(sentinels.url, DURABLE);
    const primary = await sentinels.primary();
    await primary.ask('CONFIG', 'RESETSTAT');
    const before = Number(await primary.ask('GET', KEY));
    const replies = await Promise.all(
      Array.from({ length: 1_000 }, () => opened.redis.runDurably(COUNT, [KEY], [])),
    );
    expect(replies).toEqual(Array.from({ length: 1_000 }, (_, n) => before + n + 1));
    const stats = String(await primary.ask('INFO', 'commandstats'));
    expect(Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(20);
    await primary.ask('SET', 'sluice:text:{a}', 'no number');
    const mixed = await Promise.allSettled([
      opened.redis.runDurably(COUNT, ['sluice:text:{a}'], []),
      opened.redis.runDurably(COUNT, [KEY], []),
    ]);
    expect(mixed.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  it('finds the new primary when the old one is killed, with all that was acknowledged', async () => {
    await using opened = await openTestRedis(sentinels.url, DURABLE);
    const { redis } = opened;
    const told = new Inbox<string>('a message');
    await redis.subscribe(redis.key('c', 'a'), (message) => told.push(message.toString()));
    const acknowledged = Number(await redis.runDurably(COUNT, [KEY], []));
    const primary = await sentinels.primary();
    await primary.kill();
    await opened.becomes('away');
    const start = performance.now();
    const next = await until(
      'it counts again',
      async () => Number(await redis.runDurably(COUNT, [KEY], [])),
      FAIL_OVER_MS,
    );
    expect(performance.now() - start).toBeLessThan(FAIL_OVER_MS);
    expect(next).toBeGreaterThan(acknowledged);
    await opened.becomes('available');
    await redis.run(TELL, [redis.key('c', 'a')], ['hello']);
    await told.find((message) => message === 'hello');
    await primary.start();
    await sentinels.replicasFollow(2);
  });

  it('follows a fail-over that was asked for, and survives the loss of a Sentinel', async () => {
    await using opened = await openTestRedis(sentinels.url);
    const [sentinel] = sentinels.sentinels;
    await sentinel?.kill();
    let restores = 0;
    opened.redis.onRestored(async () => void restores++);
    const from = await sentinels.primary();
    const other = sentinels.sentinels[1];
    await other?.ask('SENTINEL', 'FAILOVER', 'sluice');
    const to = await sentinels.failedOver(from);
    await until('it is restored', () => restores > 0, FAIL_OVER_MS);
    await opened.becomes('available');
    const counted = Number(await opened.redis.run(COUNT, [KEY], []));
    expect(Number(await to.ask('GET', KEY))).toBe(counted);
    await sentinel?.start();
  });

  it('says that the Sentinels know no primary of that name', async () => {
    await expect(openTestRedis(`${sentinels.url}x`, {}, 500)).rejects.toThrow(
      /ERR No such master with that name: the Sentinels watch nothing of the name in REDIS_URL$/,
    );
  });

  it('leaves nothing behind when it is closed while a Sentinel is gone', async () => {
    // Of this test, by jest.
    const areGone = () => activeTimers() <= 1;
    await until('those of other tests are gone', areGone);
    const [gone, leaving] = sentinels.sentinels;
    await gone?.kill();
    const opened = await openTestRedis(sentinels.url);
    await leaving?.kill();
    await opened.redis.close();
    await until('no timer is left', areGone, 500);
    await Promise.all([gone?.start(), leaving?.start()]);
  });
});

function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
