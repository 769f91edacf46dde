import { expect, it } from '@jest/globals';
import { event } from '../../../test/contracts/event-log.contract.js';
import {
  LogWatch,
  openRedisLog,
  overriding,
  startMovingAddress,
} from '../../../test/support/redis-log.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import type { Redis } from '../../redis/redis.js';
import { TELL } from './scripts.js';

const FINGERPRINT = Buffer.alloc(32, 1);
const once = (key: string) => ({ key, fingerprint: FINGERPRINT });

/** A primary with one replica that has all it has. */
async function startPair(): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const primary = await RedisServer.start();
  const replica = await RedisServer.start({
    args: ['--replicaof', '127.0.0.1', String(primary.port)],
  });
  const isThere = async () =>
    /state=online/.test(String(await primary.ask('INFO', 'replication'))) &&
    /master_link_status:up/.test(String(await replica.ask('INFO', 'replication')));
  await until('the replica has come', isThere);
  return { primary, replica };
}

/** As a node that goes away between its append and telling of it. */
function neverTelling(redis: Redis): Redis {
  return overriding(redis, {
    run: async (script, keys, args) => (script === TELL ? 0 : redis.run(script, keys, args)),
  });
}

describeWith('redis-server', 'a log in Redis whose replicas are waited for', () => {
  it('is not read further than the replicas have it', async () => {
    const { primary, replica } = await startPair();
    await using _primary = primary;
    await using _replica = replica;
    await using node = await openRedisLog(primary.url, { minReplicas: 1, deadlineMs: 500 });
    await using other = await openRedisLog(primary.url, { minReplicas: 1, deadlineMs: 500 });
    const watch = await LogWatch.on(other.log, 'acme');
    const { epoch } = await until('it is taken', () =>
      node.log.append('acme', [event(1)], once('first')),
    );
    await watch.reaches(other.log, 'acme');
    expect(watch.cursors).toEqual([`${epoch}-1`]);

    replica.pause();
    await expect(node.log.append('acme', [event(2)], once('k'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(await other.log.extent('acme')).toMatchObject({ head: 1 });
    const limit = { maxEntries: 10, maxBytes: 10_000 };
    const { entries } = await other.log.read('acme', { epoch, offset: 1 }, limit);
    expect(entries).toEqual([]);

    replica.resume();
    const again = () => node.log.append('acme', [event(2)], once('k'));
    expect(await until('the replica has it', again)).toMatchObject({ first: 2 });
    await watch.reaches(other.log, 'acme');
    expect(watch).toMatchObject({ faults: [], breaks: [] });
    expect(watch.cursors).toEqual([`${epoch}-1`, `${epoch}-2`]);
  }, 40_000);

  it('has an event once that was published again, because the primary was lost with it', async () => {
    const { primary, replica } = await startPair();
    await using _primary = primary;
    await using _replica = replica;
    await using address = await startMovingAddress(primary.port);
    await using node = await openRedisLog(address.url, { minReplicas: 1, deadlineMs: 500 });
    const watch = await LogWatch.on(node.log, 'acme');
    await until('it is taken', () => node.log.append('acme', [event(1)], once('first')));

    replica.pause();
    await expect(node.log.append('acme', [event(2)], once('k'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await primary.kill();
    replica.resume();
    await replica.ask('REPLICAOF', 'NO', 'ONE');
    await primary.start();
    await primary.ask('REPLICAOF', '127.0.0.1', String(replica.port));
    address.moveTo(replica.port);

    const again = () => node.log.append('acme', [event(2)], once('k'));
    await until('the other server has it', again);
    await watch.reaches(node.log, 'acme');
    expect(watch).toMatchObject({ faults: [], breaks: [] });
    expect(watch.entries.filter(({ frame }) => frame.includes('"n":2'))).toHaveLength(1);
  }, 40_000);

  it('is told of by another node where the one that appended does not come to it', async () => {
    const { primary, replica } = await startPair();
    await using _primary = primary;
    await using _replica = replica;
    // A replica that has just come may take a second to answer.
    const patient = { minReplicas: 1, deadlineMs: 10_000 };
    await using gone = await openRedisLog(primary.url, { ...patient, wrap: neverTelling });
    await using other = await openRedisLog(primary.url, patient);
    const watch = await LogWatch.on(other.log, 'acme');
    const many = Array.from({ length: 450 }, (_, index) => event(index));
    const { epoch } = await gone.log.append('acme', many);
    expect(watch.entries).toEqual([]);
    await until('somebody has told of it', () => watch.entries.length === many.length);
    expect(watch).toMatchObject({ faults: [], breaks: [] });
    expect(watch.cursors.at(-1)).toBe(`${epoch}-450`);
  }, 40_000);
});
