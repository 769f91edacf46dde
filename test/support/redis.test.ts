import { expect, it, jest } from '@jest/globals';
import { makeCertificates } from './certificates.js';
import { RedisCluster } from './redis-cluster.js';
import { RedisSentinels } from './redis-sentinels.js';
import { RedisServer } from './redis-server.js';
import { describeWith } from './tools.js';
import { until } from './until.js';

jest.setTimeout(60_000);

async function replicaHasAll(primary: RedisServer, replica: RedisServer): Promise<void> {
  const written = Number(await primary.info('master_repl_offset'));
  await until('a replica has what was written', async () => {
    return Number(await replica.info('slave_repl_offset')) >= written;
  });
}

describeWith('redis-server', 'a Redis of the tests', () => {
  it('comes back after a kill with what it had', async () => {
    await using server = await RedisServer.start();
    await server.ask('SET', 'key', 'value');
    await server.kill();
    expect(server.isRunning).toBe(false);
    await expect(server.ask('GET', 'key')).rejects.toThrow();
    await server.start();
    expect(await server.ask('GET', 'key')).toBe('value');
  });

  it('speaks TLS, and lets users do what they may', async () => {
    await using tls = await makeCertificates();
    await using server = await RedisServer.start({ tls, users: ['app on >secret ~app:* +get'] });
    expect(server.url).toMatch(/^rediss:/);
    expect(await server.ask('ACL', 'WHOAMI')).toBe('default');
    expect(await server.ask('ACL', 'DRYRUN', 'app', 'GET', 'app:1')).toBe('OK');
    expect(await server.ask('ACL', 'DRYRUN', 'app', 'GET', 'other')).not.toBe('OK');
  });
});

describeWith('redis-sentinel', 'the Sentinels of the tests', () => {
  it('name another primary when theirs is killed, and keep what replicas had', async () => {
    await using redis = await RedisSentinels.start();
    const primary = await redis.primary();
    await primary.ask('SET', 'key', 'value');
    const replicas = redis.servers.filter((server) => server !== primary);
    for (const replica of replicas) await replicaHasAll(primary, replica);
    await primary.kill();
    const next = await redis.failedOver(primary);
    expect(next).not.toBe(primary);
    expect(await next.ask('GET', 'key')).toBe('value');
  });
});

describeWith('redis-server', 'the cluster of the tests', () => {
  it('moves slots, and replaces a primary that is killed', async () => {
    await using cluster = await RedisCluster.start({ replicas: 1 });
    const owner = await cluster.ownerOf('key');
    await owner.ask('SET', 'key', 'value');
    const other = cluster.primaries.find((server) => server !== owner) as RedisServer;
    await cluster.moveSlot('key', other);
    expect(await cluster.ownerOf('key')).toBe(other);
    expect(await other.ask('GET', 'key')).toBe('value');
    const replica = await cluster.replicaOf(other);
    await replicaHasAll(other, replica);
    await other.kill();
    await cluster.becomesPrimary(replica);
    expect(await cluster.ownerOf('key')).toBe(replica);
    expect(await replica.ask('GET', 'key')).toBe('value');
  });
});
