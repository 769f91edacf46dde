import { describe, expect, it } from '@jest/globals';
import { event } from '../../../test/contracts/event-log.contract.js';
import {
  LogWatch,
  openRedisLog,
  type RedisLog,
  startMovingAddress,
} from '../../../test/support/redis-log.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import { type Appended, followsOn } from '../event-log.js';

const EVERYTHING = { maxEntries: 1_000_000, maxBytes: 1_000_000_000 };
/** What is not saved by command is lost by a kill. */
const FORGETFUL = ['--appendonly', 'no'];

const cursorsOf = (appended: readonly Appended[]) =>
  appended.flatMap(({ epoch, first, count }) =>
    Array.from({ length: count }, (_, index) => `${epoch}-${first + index}`),
  );
const append = ({ log }: RedisLog, n: number) =>
  until('an append is taken', () => log.append('acme', [event(n), event(-n)]));
/** What may still be restored after a break is asked until it answers. */
const extentOf = ({ log }: RedisLog) => until('the log is back', () => log.extent('acme'));
const readBehind = ({ log }: RedisLog, epoch: string, offset: number) =>
  until('the log is back', () => log.read('acme', { epoch, offset }, EVERYTHING)).then(
    ({ entries }) => entries,
  );

const hasReplicas = (of: RedisServer, count: number) =>
  until('all replicas follow', async () => {
    const info = String(await of.ask('INFO', 'replication'));
    return info.match(/state=online/g)?.length === count;
  });

async function takeOver(primary: RedisServer, replicas: readonly RedisServer[]): Promise<void> {
  await primary.ask('REPLICAOF', 'NO', 'ONE');
  for (const replica of replicas) {
    await replica.ask('REPLICAOF', '127.0.0.1', String(primary.port));
  }
  await hasReplicas(primary, replicas.length);
}

describeWith('redis-server', 'a log in Redis whose server is lost', () => {
  it('goes on without a hole where the server comes back with all it had', async () => {
    await using server = await RedisServer.start();
    await using node = await openRedisLog(server.url);
    await using other = await openRedisLog(server.url);
    const watch = await LogWatch.on(other.log, 'acme');
    const appended: Appended[] = [];
    for (let n = 1; n <= 3; n++) {
      appended.push(await append(node, n));
      await server.kill();
      await server.start();
    }
    appended.push(await append(node, 4));
    await watch.reaches(other.log, 'acme');
    expect(watch).toMatchObject({ faults: [], breaks: [] });
    expect(watch.cursors).toEqual(cursorsOf(appended));
    // A reader from the beginning finds the same.
    const { epoch } = await extentOf(node);
    const read = await readBehind(node, epoch, 0);
    expect(read.map(({ offset }) => offset)).toEqual(watch.entries.map(({ offset }) => offset));
  }, 40_000);

  it.each([true, false])(
    'gives no cursor twice, and hides no loss, where it comes back with the same old data again and again (durable by its settings: %s)',
    async (isDurable) => {
      await using server = await RedisServer.start({ args: FORGETFUL });
      await using node = await openRedisLog(server.url, { isDurable });
      await using other = await openRedisLog(server.url, { isDurable });
      const watch = await LogWatch.on(other.log, 'acme');
      const appended = [await append(node, 1)];
      await server.ask('SAVE');
      for (let n = 2; n <= 4; n++) {
        for (let more = 0; more < 5; more++) appended.push(await append(node, 10 * n + more));
        await watch.reaches(other.log, 'acme');
        await server.kill();
        await server.start();
      }
      appended.push(await append(node, 100));
      await watch.reaches(other.log, 'acme');
      const cursors = cursorsOf(appended);
      expect(new Set(cursors).size).toBe(cursors.length);
      expect(watch.faults).toEqual([]);
      expect(watch.unexplained(cursors)).toEqual([]);
      // Whoever has seen what is lost is told so, whatever the settings say.
      expect(watch.breaks.length).toBeGreaterThanOrEqual(3);
    },
    40_000,
  );

  it('has another epoch where it comes back empty, and says so to all who follow it', async () => {
    await using server = await RedisServer.start();
    await using node = await openRedisLog(server.url);
    const watch = await LogWatch.on(node.log, 'acme');
    const before = await append(node, 1);
    await watch.reaches(node.log, 'acme');
    await server.ask('FLUSHALL');
    const after = await append(node, 2);
    await watch.reaches(node.log, 'acme');
    expect(after.epoch).not.toBe(before.epoch);
    expect(watch.faults).toEqual([]);
    expect(watch.breaks).toMatchObject([{ epoch: after.epoch }]);
  });

  it('hides no loss from who was at a former primary that started anew and took itself for the primary', async () => {
    await using first = await RedisServer.start();
    const follows = ['--replicaof', '127.0.0.1', String(first.port)];
    await using second = await RedisServer.start({ args: follows });
    await using third = await RedisServer.start({ args: follows });
    await hasReplicas(first, 2);
    await using address = await startMovingAddress(first.port);
    await using node = await openRedisLog(address.url, { minReplicas: 1 });
    await append(node, 1);
    // One replica was waited for, and which one is not said.
    for (const replica of [second, third]) {
      const hasIt = async () => (await replica.ask('EXISTS', 'sluice:log:{acme}:meta')) === 1;
      await until('the replica has it', hasIt);
    }

    await first.kill();
    await takeOver(second, [third]);
    address.moveTo(second.port);
    await append(node, 2);
    // Its Sentinel is behind, so this node asks the former primary, which makes a seam of its own.
    await first.start();
    const stale = await openRedisLog(first.url, { minReplicas: 1 });
    const { epoch, head } = await extentOf(stale);
    await stale[Symbol.asyncDispose]();
    await first.ask('REPLICAOF', '127.0.0.1', String(second.port));
    await hasReplicas(second, 2);
    const unseen = await append(node, 3);

    await second.kill();
    await takeOver(third, [first]);
    address.moveTo(third.port);
    const after = await append(node, 4);
    expect(unseen.first).toBeLessThan(head);
    expect(after.first).toBeGreaterThan(head);
    const [next] = await readBehind(node, epoch, head);
    expect(next && followsOn(next, head)).toBe(false);
  }, 40_000);

  describe('and is followed by a replica', () => {
    it.each([
      { isDurable: true, lags: false },
      { isDurable: true, lags: true },
      { isDurable: false, lags: false },
      { isDurable: false, lags: true },
    ])(
      'gives no cursor twice, and hides no loss: %j',
      async ({ isDurable, lags }) => {
        await using primary = await RedisServer.start({
          args: ['--repl-diskless-sync-delay', '0'],
        });
        await using replica = await RedisServer.start({
          args: ['--replicaof', '127.0.0.1', String(primary.port)],
        });
        await until(
          'the replica follows',
          async () => (await replica.info('master_link_status')) === 'up',
        );
        await using address = await startMovingAddress(primary.port);
        await using node = await openRedisLog(address.url, { isDurable });
        await using other = await openRedisLog(address.url, { isDurable });
        const watch = await LogWatch.on(other.log, 'acme');
        const kept = [await append(node, 1), await append(node, 2)];
        await primary.ask('WAIT', '1', '5000');
        await until('the replica has it', async () => {
          const [own, its] = await Promise.all([
            primary.info('master_repl_offset'),
            replica.info('slave_repl_offset'),
          ]);
          return own === its;
        });
        // From here on nothing reaches it any more: it is promoted before the primary is lost.
        if (lags) await replica.ask('REPLICAOF', 'NO', 'ONE');
        const lost = lags ? [await append(node, 3), await append(node, 4)] : [];
        await watch.reaches(other.log, 'acme');
        address.moveTo(null);
        await primary.kill();
        if (!lags) await replica.ask('REPLICAOF', 'NO', 'ONE');
        address.moveTo(replica.port);
        const after = [await append(node, 5), await append(node, 6)];
        await watch.reaches(other.log, 'acme');

        const cursors = cursorsOf([...kept, ...lost, ...after]);
        expect(new Set(cursors).size).toBe(cursors.length);
        expect(watch.faults).toEqual([]);
        expect(watch.unexplained(cursors)).toEqual([]);
        expect(watch.breaks).toHaveLength(isDurable && !lags ? 0 : 1);
        // A reader that comes back from before finds everything, or is told that something is missing.
        const [last] = cursorsOf(kept).slice(-1);
        const offset = Number(last?.split('-')[1]);
        const { epoch } = await extentOf(node);
        const [first] = await readBehind(node, epoch, offset);
        if (isDurable) expect(first?.previous).toBe(offset);
        else expect(first?.previous).toBeGreaterThan(offset);
      },
      40_000,
    );
  });
});
