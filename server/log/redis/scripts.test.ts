import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { event } from '../../../test/contracts/event-log.contract.js';
import {
  LogWatch,
  openRedisLog,
  type RedisLogOptions,
  withClock,
} from '../../../test/support/redis-log.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import type { EventLog, LogEntry, NewEntry } from '../event-log.js';

const EVERYTHING = { maxEntries: 1_000_000, maxBytes: 1_000_000_000 };
const FINGERPRINT = Buffer.alloc(32, 1);
const HOUR_MS = 3_600_000;

describeWith('redis-server', 'the keys of a log in Redis', () => {
  let server: RedisServer;
  let workspaces = 0;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const open = (options?: RedisLogOptions) => openRedisLog(server.url, options);
  const newWorkspace = () => `ws-${workspaces++}`;
  const keyOf = (workspace: string, part: string) => `sluice:log:{${workspace}}:${part}`;
  const events = (count: number): NewEntry[] =>
    Array.from({ length: count }, (_, index) => event(index + 1));
  const readAfter = async (log: EventLog, workspace: string, offset: number) => {
    const { epoch } = await log.extent(workspace);
    return (await log.read(workspace, { epoch, offset }, EVERYTHING)).entries;
  };
  const offsets = (entries: readonly LogEntry[]) => entries.map(({ offset }) => offset);
  /** What lies under the keys but one, as Redis would move it elsewhere. */
  const dumpOf = (workspace: string, without: string) =>
    Promise.all(
      ['meta', 'events', 'keys', 'order']
        .filter((part) => part !== without)
        .map((part) => server.ask('DUMP', keyOf(workspace, part))),
    );

  it('begin a log anew where its name was evicted, whatever else is left', async () => {
    await using node = await open({ retention: { maxEvents: 1 } });
    const { log } = node;
    const workspace = newWorkspace();
    const before = await log.append(workspace, events(5), { key: 'k', fingerprint: FINGERPRINT });
    // An emptied stream remembers its last id, and takes no lower one.
    await server.ask('XTRIM', keyOf(workspace, 'events'), 'MAXLEN', '0');
    await server.ask('DEL', keyOf(workspace, 'meta'));
    const after = await log.append(workspace, events(1), { key: 'k', fingerprint: FINGERPRINT });
    expect(after).toMatchObject({ first: 1, repeated: null });
    expect(after.epoch).not.toBe(before.epoch);
    expect(offsets(await readAfter(log, workspace, 0))).toEqual([1]);
  });

  it('tell that history is gone where the events were evicted', async () => {
    await using node = await open();
    const { log } = node;
    const workspace = newWorkspace();
    const { epoch } = await log.append(workspace, events(5));
    await server.ask('DEL', keyOf(workspace, 'events'));
    expect(await log.extent(workspace)).toEqual({ epoch, head: 5, oldest: 5 });
    expect(await log.append(workspace, events(2))).toMatchObject({ first: 6, epoch });
    expect(await readAfter(log, workspace, 2)).toMatchObject([
      { offset: 6, previous: 5 },
      { offset: 7 },
    ]);
  });

  it.each(['meta', 'events', 'keys', 'order'])(
    'are all left as they are where %s is of another type',
    async (part) => {
      await using node = await open();
      const { log } = node;
      const workspace = newWorkspace();
      const append = (key: string) =>
        log.append(workspace, events(3), { key, fingerprint: FINGERPRINT });
      await append('first');
      await server.ask('HSET', keyOf(workspace, 'meta'), 'history', '0'.repeat(40));
      await server.ask('COPY', keyOf(workspace, part), keyOf(workspace, 'kept'));
      await server.ask('SET', keyOf(workspace, part), 'something else');
      const before = await dumpOf(workspace, part);
      await expect(append('second')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(await dumpOf(workspace, part)).toEqual(before);
      await server.ask('RENAME', keyOf(workspace, 'kept'), keyOf(workspace, part));
      await append('second');
      expect(await append('first')).toMatchObject({ first: 1, repeated: [{}, {}, {}] });
      expect(await readAfter(log, workspace, 0)).toHaveLength(7);
    },
  );

  it('forget idempotency keys with their events, however many at once', async () => {
    await using node = await open({ retention: { maxEvents: 10 } });
    const { log } = node;
    const workspace = newWorkspace();
    await using generous = await open({ deadlineMs: 10_000 });
    await Promise.all(
      Array.from({ length: 2_500 }, (_, n) =>
        generous.log.append(workspace, [event(n)], { key: String(n), fingerprint: FINGERPRINT }),
      ),
    );
    await log.append(workspace, [event(1)]);
    expect(await server.ask('HLEN', keyOf(workspace, 'keys'))).toBeLessThanOrEqual(10);
    expect(await server.ask('ZCARD', keyOf(workspace, 'order'))).toBeLessThanOrEqual(10);
  });

  it('do not keep idempotency keys for ever where their order was evicted', async () => {
    await using node = await open();
    const workspace = newWorkspace();
    const append = (key: string) =>
      node.log.append(workspace, events(1), { key, fingerprint: FINGERPRINT });
    await append('a');
    await append('b');
    await server.ask('DEL', keyOf(workspace, 'order'));
    await append('c');
    expect(await server.ask('HLEN', keyOf(workspace, 'keys'))).toBe(1);
    expect(await append('c')).toMatchObject({ repeated: [{ offset: 3 }] });
  });

  it('count on exactly where numbers are large', async () => {
    await using node = await open();
    const { log } = node;
    const workspace = newWorkspace();
    const head = 990_000_000_000_000;
    const { epoch } = await log.append(workspace, events(1));
    const large = [
      'head',
      String(head),
      'told',
      String(head),
      'bytes',
      '9000000000000000',
      'start',
      '8999999999999000',
    ];
    await server.ask('HSET', keyOf(workspace, 'meta'), ...large);
    const watch = await LogWatch.on(log, workspace);
    expect(await log.append(workspace, events(3))).toMatchObject({ first: head + 1 });
    await watch.reaches(log, workspace);
    expect(watch.cursors).toEqual([1, 2, 3].map((n) => `${epoch}-${head + n}`));
    expect(offsets(await readAfter(log, workspace, head + 1))).toEqual([head + 2, head + 3]);
    await server.ask('HSET', keyOf(workspace, 'meta'), 'history', '0'.repeat(40));
    expect(await log.append(workspace, events(1))).toMatchObject({
      first: head + 1_000_000_005 - 1,
    });
  });

  it('take 10,000 events at once, and events of a megabyte', async () => {
    await using node = await open({ deadlineMs: 10_000 });
    const { log } = node;
    const workspace = newWorkspace();
    const watch = await LogWatch.on(log, workspace);
    await log.append(workspace, events(10_000));
    const large = { ...event(1), json: JSON.stringify('x'.repeat(1_048_000)) };
    await log.append(workspace, [large, large, large]);
    await watch.reaches(log, workspace);
    expect(watch).toMatchObject({ faults: [], breaks: [] });
    expect(watch.entries).toHaveLength(10_003);
    const read = await readAfter(log, workspace, 0);
    const framesOf = (entries: readonly LogEntry[]) =>
      Buffer.concat(entries.map(({ frame }) => frame));
    expect(framesOf(read).equals(framesOf(watch.entries))).toBe(true);
  });

  it('are not written where nothing has changed', async () => {
    await using node = await open();
    const workspace = newWorkspace();
    await node.log.append(workspace, events(1), { key: 'k', fingerprint: FINGERPRINT });
    const before = await server.info('aof_current_size');
    await node.log.extent(workspace);
    await node.log.append(workspace, events(1), { key: 'k', fingerprint: FINGERPRINT });
    expect(await server.info('aof_current_size')).toBe(before);
  });

  it('all expire, the name of the log last', async () => {
    await using node = await open({ retention: { maxAgeSeconds: 1 } });
    const workspace = newWorkspace();
    const { epoch } = await node.log.append(workspace, events(2), {
      key: 'k',
      fingerprint: FINGERPRINT,
    });
    const others = ['events', 'keys', 'order'].map((part) => keyOf(workspace, part));
    await until('the keys are gone', async () => (await server.ask('EXISTS', ...others)) === 0);
    expect(Number(await server.ask('PTTL', keyOf(workspace, 'meta')))).toBeGreaterThan(HOUR_MS);
    expect(await node.log.extent(workspace)).toEqual({ epoch, head: 2, oldest: 2 });
    await server.ask('HSET', keyOf(workspace, 'meta'), 'history', '0'.repeat(40));
    await node.log.extent(workspace);
    // The seam lies in a stream of its own, which must not stay for ever.
    const left = Number(await server.ask('PTTL', keyOf(workspace, 'events')));
    expect(left).not.toBe(-1);
  });

  describe('while the clock jumps', () => {
    let aheadMs = 0;
    const openClocked = (retention: RedisLogOptions['retention']) =>
      open({ retention: retention ?? {}, wrap: (redis) => withClock(redis, () => aheadMs) });

    it('lose nothing inside its time, and stay in the order of time', async () => {
      aheadMs = 0;
      await using node = await openClocked({ maxAgeSeconds: 3_600 });
      const { log } = node;
      const workspace = newWorkspace();
      for (const jump of [0, -HOUR_MS * 5, HOUR_MS / 2, -HOUR_MS, HOUR_MS / 4, 0]) {
        aheadMs = jump;
        await log.append(workspace, events(10));
        expect(await log.extent(workspace)).toMatchObject({ oldest: 0 });
      }
      expect(await readAfter(log, workspace, 0)).toHaveLength(60);
      const raw = (await server.ask('XRANGE', keyOf(workspace, 'events'), '-', '+')) as [string][];
      const times = raw.map(([id]) => Number(id.split('-')[1]));
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it('lose what is too old without a further append', async () => {
      aheadMs = 0;
      await using node = await openClocked({ maxAgeSeconds: 3_600 });
      const { log } = node;
      const workspace = newWorkspace();
      await log.append(workspace, events(10), { key: 'k', fingerprint: FINGERPRINT });
      aheadMs = HOUR_MS / 2;
      await log.append(workspace, events(10));
      // Too old, but not by as much as is worth the work.
      aheadMs = HOUR_MS + 30_000;
      expect(await log.extent(workspace)).toMatchObject({ oldest: 0 });
      aheadMs = HOUR_MS + 90_000;
      expect(await log.extent(workspace)).toMatchObject({ oldest: 10, head: 20 });
      expect(offsets(await readAfter(log, workspace, 10))).toHaveLength(10);
      expect(await server.ask('EXISTS', keyOf(workspace, 'keys'))).toBe(0);
      aheadMs = 3 * HOUR_MS;
      expect(await log.extent(workspace)).toMatchObject({ oldest: 20, head: 20 });
      expect(await log.append(workspace, events(1))).toMatchObject({ first: 21 });
    });
  });
});
