import { expect, it } from '@jest/globals';
import { makeCertificates } from '../../test/support/certificates.js';
import { startCutProxy } from '../../test/support/cut-proxy.js';
import { freePort } from '../../test/support/free-port.js';
import { Inbox } from '../../test/support/inbox.js';
import { COUNT, openTestRedis, TELL, type TestRedis } from '../../test/support/open-test-redis.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';
import { until } from '../../test/support/until.js';
import { readConfig } from '../config.js';
import { openRedis } from './open-redis.js';

/** What docs/configuration.md names as enough. */
const RIGHTS =
  '~sluice:* &sluice:* +@read +@write +@pubsub +@connection +eval +evalsha +time +wait -@dangerous +info +cluster|slots +cluster|info';

/** How the opening fails, and how long it takes. */
async function refusalOf(
  url: string,
  settings = {},
  openMs?: number,
): Promise<{ message: string; tookMs: number }> {
  const start = performance.now();
  try {
    await using opened = await openTestRedis(url, settings, openMs);
    throw new Error(`it was opened, and is ${opened.redis.isAvailable}`);
  } catch (error) {
    return { message: (error as Error).message, tookMs: performance.now() - start };
  }
}

describeWith('redis-server', 'opening Redis', () => {
  it('speaks TLS with an authority of its own, as a user with few rights', async () => {
    await using tls = await makeCertificates();
    await using server = await RedisServer.start({ tls, users: [`app on >s3cret ${RIGHTS}`] });
    const url = server.url.replace('//', '//app:s3cret@');
    await using opened = await openTestRedis(url, { REDIS_CA_FILE: tls.caFile });
    const { redis } = opened;
    expect(await redis.run(COUNT, [redis.key('n', 'a')], [])).toBe(1);
    const told = new Inbox<string>('a message');
    await redis.subscribe(redis.key('c', 'a'), (message) => told.push(message.toString()));
    expect(await redis.run(TELL, [redis.key('c', 'a')], ['hello'])).toBe(1);
    await told.find((message) => message === 'hello');
    await expect(redis.call('FLUSHALL')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('says at once that a password, a right or a certificate is amiss, and never what the password is', async () => {
    await using tls = await makeCertificates();
    await using other = await makeCertificates('DNS:elsewhere.example');
    await using server = await RedisServer.start({
      users: ['app on >s3cret +@all -eval ~* &*', 'default off'],
    });
    await using secure = await RedisServer.start({ tls });
    await using foreign = await RedisServer.start({ tls: other });
    const at = `127.0.0.1:${server.port}`;
    const wrong = `${secure.url.replace('//', '//x:hunter2@')}`;
    const refusals = [
      [await refusalOf(`redis://${at}`), /^Redis at .*:\d+: (NOAUTH|NOPERM|WRONGPASS)/],
      [await refusalOf(`redis://app:hunter2@${at}`), /WRONGPASS/],
      [await refusalOf(`redis://app:s3cret@${at}`), /NOPERM/],
      [await refusalOf(secure.url), /SELF_SIGNED|UNABLE_TO/],
      [await refusalOf(wrong, { REDIS_CA_FILE: tls.caFile }), /WRONGPASS/],
      [await refusalOf(foreign.url, { REDIS_CA_FILE: other.caFile }), /ALTNAME/],
    ] as const;
    for (const [{ message, tookMs }, expected] of refusals) {
      expect(message).toMatch(expected);
      expect(message).toMatch(/^Redis at 127\.0\.0\.1:\d+: /);
      expect(message).not.toMatch(/hunter2|s3cret/);
      expect(tookMs).toBeLessThan(2_000);
    }
  });

  it('refuses what it cannot work with', async () => {
    await using server = await RedisServer.start({ args: ['--databases', '2'] });
    expect((await refusalOf(`${server.url}/2`)).message).toMatch(/DB index/);
    const args = ['--replicaof', '127.0.0.1', String(server.port)];
    await using replica = await RedisServer.start({ args });
    expect((await refusalOf(replica.url)).message).toMatch(/it is a replica/);
    await using node = await RedisServer.start({
      args: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
    });
    expect((await refusalOf(node.url)).message).toMatch(/must begin redis\+cluster/);
    const alone = server.url.replace('redis:', 'redis+cluster:');
    expect((await refusalOf(alone)).message).toMatch(/cluster support disabled/);
  });

  it('says in words where to look', async () => {
    await using server = await RedisServer.start();
    const { port } = server;
    const [refused, strange] = await Promise.all([
      refusalOf(`redis://127.0.0.1:${await freePort()}`, {}, 1_500),
      refusalOf(`rediss://127.0.0.1:${port}`, {}, 3_500),
    ]);
    expect(refused.message).toMatch(/cannot be reached \(ECONNREFUSED\): nobody listens there$/);
    expect(strange.message).toMatch(/is it a port without TLS\?$/);
  });

  it('says that it is looking for Redis, once, and why it takes so long', async () => {
    const waits: string[] = [];
    const { redis: settings } = readConfig({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    if (settings === null) throw new Error('no Redis is set');
    const onWaiting = (reason: string) => waits.push(reason);
    await expect(
      openRedis({ settings, openMs: 1_300, onFailure() {}, onWaiting }),
    ).rejects.toThrow();
    expect(waits).toEqual(['ECONNREFUSED: nobody listens there']);
  });

  it('warns of a Redis that drops what it keeps', async () => {
    await using server = await RedisServer.start({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    await using opened = await openTestRedis(server.url);
    expect(opened.warnings).toEqual([expect.stringContaining('allkeys-lru')]);
  });

  it('warns where what is to be durable is not', async () => {
    await using server = await RedisServer.start({ args: ['--appendonly', 'no'] });
    const durable = { REDIS_DURABLE: 'true' };
    const warned = async (settings: Readonly<Record<string, string>>) => {
      await using opened = await openTestRedis(server.url, settings);
      return opened.warnings;
    };
    const restart = expect.stringMatching(/^REDIS_DURABLE is set, but .*append-only/);
    expect(await warned({})).toEqual([]);
    expect(await warned(durable)).toEqual([restart]);
    const args = ['--replicaof', '127.0.0.1', String(server.port)];
    await using replica = await RedisServer.start({ args });
    await until('it follows', async () => (await replica.info('master_link_status')) === 'up');
    const failOver = expect.stringMatching(/^REDIS_DURABLE is set, but .*REDIS_MIN_REPLICAS/);
    expect(await warned(durable)).toEqual([restart, failOver]);
    expect(await warned({ ...durable, REDIS_MIN_REPLICAS: '1' })).toEqual([restart]);
    await server.ask('CONFIG', 'SET', 'appendonly', 'yes');
    expect(await warned(durable)).toEqual([failOver]);
  });

  it('keeps the channels of databases apart, which Redis does not', async () => {
    await using server = await RedisServer.start();
    await using zero = await openTestRedis(server.url);
    await using one = await openTestRedis(`${server.url}/1`);
    const told = new Inbox<string>('a message');
    const channelOf = ({ redis }: TestRedis) => redis.channel('c', 'a');
    await zero.redis.subscribe(channelOf(zero), (message) => told.push(message.toString()));
    expect(await one.redis.run(TELL, [channelOf(one)], ['of another database'])).toBe(0);
    expect(await zero.redis.run(TELL, [channelOf(zero)], ['hello'])).toBe(1);
    await told.find((message) => message === 'hello');
    expect(told.items).toEqual(['hello']);
  });

  it('gives up in time where nobody answers', async () => {
    await using server = await RedisServer.start();
    await using proxy = await startCutProxy(server.port);
    proxy.halfOpen();
    const [nobody, silent] = await Promise.all([
      refusalOf(`redis://127.0.0.1:${await freePort()}`, {}, 1_000),
      refusalOf(`redis://127.0.0.1:${proxy.port}`, {}, 1_000),
    ]);
    expect(nobody.message).toMatch(/cannot be reached \(ECONNREFUSED\)/);
    expect(silent.message).toMatch(/cannot be reached/);
    for (const { tookMs } of [nobody, silent]) {
      expect(tookMs).toBeGreaterThan(950);
      expect(tookMs).toBeLessThan(5_000);
    }
  });
});
