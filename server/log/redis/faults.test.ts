import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { event } from '../../../test/contracts/event-log.contract.js';
import { LogWatch, openRedisLog, type RedisLog } from '../../../test/support/redis-log.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import type { Appended } from '../event-log.js';

const EVERYTHING = { maxEntries: 1_000_000, maxBytes: 1_000_000_000 };
const DEADLINE_MS = 600;
/** What a busy machine may add to a deadline. */
const LATER_MS = 3_000;
const UNAVAILABLE = { code: 'UNAVAILABLE' };

describeWith('redis-server', 'a log in Redis', () => {
  let server: RedisServer;
  let node: RedisLog;
  let other: RedisLog;
  let watch: LogWatch;

  beforeEach(async () => {
    server = await RedisServer.start({ args: ['--busy-reply-threshold', '100'] });
    node = await openRedisLog(server.url, { deadlineMs: DEADLINE_MS });
    other = await openRedisLog(server.url, { deadlineMs: DEADLINE_MS });
    watch = await LogWatch.on(other.log, 'acme');
  });
  afterEach(async () => {
    await node[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const append = (n: number) => node.log.append('acme', [event(n), event(-n), event(n)]);
  /** How long it takes until an append is refused. */
  async function refusal(): Promise<number> {
    const startedAt = performance.now();
    await expect(append(0)).rejects.toMatchObject(UNAVAILABLE);
    return performance.now() - startedAt;
  }
  /** As a publisher does that is told to come again. */
  const appendInTheEnd = (n: number) => until('an append is taken', () => append(n));
  const dump = () =>
    Promise.all(
      ['meta', 'events', 'keys', 'order'].map((part) =>
        server.ask('DUMP', `sluice:log:{acme}:${part}`),
      ),
    );
  async function expectAllSeen(appended: readonly Appended[]): Promise<void> {
    await watch.reaches(other.log, 'acme');
    expect(watch).toMatchObject({ faults: [], breaks: [] });
    const acknowledged = appended.flatMap(({ epoch, first, count }) =>
      Array.from({ length: count }, (_, index) => `${epoch}-${first + index}`),
    );
    expect(watch.cursors).toEqual(expect.arrayContaining(acknowledged));
    await until('the log is back', () => node.log.isAvailable);
    const { epoch } = await node.log.extent('acme');
    const { entries } = await node.log.read('acme', { epoch, offset: 0 }, EVERYTHING);
    expect(entries.map(({ offset }) => offset)).toEqual(watch.entries.map(({ offset }) => offset));
  }

  it('that is full takes no event, and still tells everybody where it stands', async () => {
    const before = await append(1);
    await watch.reaches(other.log, 'acme');
    const kept = await dump();
    await server.ask('CONFIG', 'SET', 'maxmemory', '1');
    expect(await refusal()).toBeLessThan(DEADLINE_MS + LATER_MS);
    expect(await dump()).toEqual(kept);
    expect(await node.log.extent('acme')).toMatchObject({ head: 3 });
    expect(await node.log.extent('nobody-yet')).toMatchObject({ head: 0 });
    const newcomer = await LogWatch.on(node.log, 'acme');
    expect(node.log.isAvailable).toBe(true);
    expect(await node.log.stats()).toMatchObject({ capacity: 1, workspaces: null });
    await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    const after = await append(2);
    await newcomer.reaches(node.log, 'acme');
    expect(newcomer.entries).toHaveLength(3);
    await expectAllSeen([before, after]);
    const { bytes, capacity } = await node.log.stats();
    expect(bytes).toBeGreaterThan(500_000);
    expect(capacity).toBeNull();
  });

  it('that became a replica refuses within the deadline, and goes on when it is a primary again', async () => {
    const before = await append(1);
    const kept = await dump();
    await server.ask('REPLICAOF', '127.0.0.1', '1');
    expect(await refusal()).toBeLessThan(DEADLINE_MS + LATER_MS);
    await server.ask('REPLICAOF', 'NO', 'ONE');
    expect(await dump()).toEqual(kept);
    const after = await appendInTheEnd(2);
    expect(after.first).toBeGreaterThan(1_000_000_000);
    await expectAllSeen([before, after]);
  });

  it('that runs a script for too long refuses within the deadline, and goes on when it is killed', async () => {
    const before = await append(1);
    const script = server.ask('EVAL', 'while true do end', '0').catch((error: Error) => error);
    await until('it answers nobody else', () =>
      server.ask('PING').then(
        () => false,
        () => true,
      ),
    );
    expect(await refusal()).toBeLessThan(DEADLINE_MS + LATER_MS);
    await server.ask('SCRIPT', 'KILL');
    expect(String(await script)).toMatch(/killed/);
    await expectAllSeen([before, await appendInTheEnd(2)]);
  });

  it('that is stopped in its tracks refuses within the deadline, and all catch up when it goes on', async () => {
    const before = await append(1);
    server.pause();
    expect(await refusal()).toBeLessThan(DEADLINE_MS + LATER_MS);
    await expect(node.log.extent('acme')).rejects.toMatchObject(UNAVAILABLE);
    await until('the log is known to be away', () => !other.log.isAvailable);
    server.resume();
    await until('the log is back', () => other.log.isAvailable);
    await expectAllSeen([before, await appendInTheEnd(2)]);
  });

  it('is restored with all its workspaces but the one whose keys somebody else has taken', async () => {
    const taken = await LogWatch.on(other.log, 'taken');
    await server.ask('SET', 'sluice:log:{taken}:meta', 'something else');
    const before = await append(1);
    await server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await server.ask('CLIENT', 'KILL', 'TYPE', 'normal');
    await until('the log is back', () => other.log.isAvailable && node.log.isAvailable);
    await expectAllSeen([before, await appendInTheEnd(2)]);
    await server.ask('DEL', 'sluice:log:{taken}:meta');
    await node.log.append('taken', [event(1)]);
    await taken.reaches(other.log, 'taken');
    expect(taken.faults).toEqual([]);
    expect(taken.breaks).toHaveLength(1);
  });
});
