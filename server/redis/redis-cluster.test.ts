import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Inbox } from '../../test/support/inbox.js';
import { COUNT, openTestRedis, TELL, type TestRedis } from '../../test/support/open-test-redis.js';
import { RedisCluster } from '../../test/support/redis-cluster.js';
import type { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';
import { until } from '../../test/support/until.js';
import { SLOTS, slotOf } from './key-slot.js';

jest.setTimeout(60_000);

const FAIL_OVER_MS = 20_000;

it('finds the slot of a key as Redis does', () => {
  // Redis Cluster specification, appendix A: the CRC of "123456789" is 0x31C3.
  expect(slotOf('123456789')).toBe(0x31c3 % SLOTS);
  expect(slotOf('{user1000}.following')).toBe(slotOf('user1000'));
  expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'));
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'));
  expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'));
});

describeWith('redis-server', 'a cluster of Redis', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start({ replicas: 1 });
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  /** Counts for each tag, and listens to a channel of it. */
  async function use({ redis }: TestRedis, tag: string) {
    const told = new Inbox<string>(`a message of ${tag}`);
    const key = redis.key('n', tag);
    const channel = redis.key('c', tag);
    await redis.subscribe(channel, (message) => told.push(message.toString()));
    return {
      key,
      count: async () => Number(await redis.run(COUNT, [key], [])),
      hears: async (text: string) => {
        await redis.run(TELL, [channel], [text]);
        await told.find((message) => message === text);
      },
    };
  }

  it('sends each command and each message by the server of its slot', async () => {
    await using opened = await openTestRedis(cluster.url);
    const owners = new Set<RedisServer>();
    for (const tag of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const used = await use(opened, tag);
      expect(await used.count()).toBe(1);
      await used.hears('hello');
      owners.add(await cluster.ownerOf(used.key));
    }
    expect(owners.size).toBe(3);
  });

  it('follows a slot that moves, and loses no channel', async () => {
    await using opened = await openTestRedis(cluster.url);
    let restores = 0;
    opened.redis.onRestored(async () => void restores++);
    const used = await use(opened, 'moving');
    expect(await used.count()).toBe(1);
    const owner = await cluster.ownerOf(used.key);
    const to = cluster.primaries.find((server) => server !== owner) as RedisServer;
    await cluster.moveSlot(used.key, to);
    expect(await used.count()).toBe(2);
    await until('the channels are restored', () => restores > 0);
    await opened.becomes('available');
    await used.hears('after the move');
    expect(await to.ask('GET', used.key)).toBe('2');
  });

  it('asks the server that a slot is on its way to, for what is there already', async () => {
    await using opened = await openTestRedis(cluster.url);
    const used = await use(opened, 'on its way');
    const owner = await cluster.ownerOf(used.key);
    const to = cluster.primaries.find((server) => server !== owner) as RedisServer;
    await cluster.beginMove(used.key, to);
    expect(await used.count()).toBe(1);
    expect(await used.count()).toBe(2);
    await cluster.endMove(used.key, to);
    expect(await used.count()).toBe(3);
    expect(await to.ask('GET', used.key)).toBe('3');
  });

  it('goes on when a replica takes the place of its primary', async () => {
    await using opened = await openTestRedis(cluster.url, { REDIS_MIN_REPLICAS: '1' });
    const used = await use(opened, 'failing over');
    const durably = () => opened.redis.runDurably(COUNT, [used.key], []);
    expect(await durably()).toBe(1);
    const primary = await cluster.ownerOf(used.key);
    const replica = await cluster.replicaOf(primary);
    await primary.kill();
    await opened.becomes('away');
    await cluster.becomesPrimary(replica);
    expect(await until('it counts', () => used.count(), FAIL_OVER_MS)).toBe(2);
    await opened.becomes('available', FAIL_OVER_MS);
    await used.hears('after the fail-over');
    await primary.start();
    await until('the old one follows', async () => (await primary.info('role')) === 'slave');
    expect(await until('a replica is there', durably, FAIL_OVER_MS)).toBeGreaterThan(2);
  });

  it('is away while a server of it is paused, and back behind it', async () => {
    await using opened = await openTestRedis(cluster.url, { REDIS_DEADLINE_MS: '500' });
    const primary = await cluster.ownerOf('key');
    primary.pause();
    await opened.becomes('away', 2_000);
    primary.resume();
    await cluster.isWell();
    await opened.becomes('available', FAIL_OVER_MS);
  });
});
