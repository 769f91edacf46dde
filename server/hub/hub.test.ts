import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Cursor, matchesPattern } from '@sluice/protocol';
import fc from 'fast-check';
import { RecordingFollower, type RecordingOptions } from '../../test/support/recording-follower.js';
import type { EventLog, NewEntry } from '../log/event-log.js';
import { openLmdbEventLog } from '../log/lmdb-event-log.js';
import { createFilter } from './filter.js';
import { Hub } from './hub.js';

const LIMITS = {
  heartbeatMs: 3_600_000,
  retryMs: 2_000,
  maxBacklogBytes: 65_536,
  stallMs: 3_600_000,
};
const RETENTION = {
  default: { maxAgeSeconds: 3_600, maxEvents: 5_000, maxBytes: 100_000_000 },
  workspaces: [],
};

let folder: string;
let log: EventLog;
let hub: Hub;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-hub-'));
  log = await openLmdbEventLog(folder, RETENTION);
  hub = new Hub(log, LIMITS);
});
afterEach(async () => {
  hub.close();
  await log.close();
  await rm(folder, { recursive: true });
});

function event(topic: string, size = 0): NewEntry {
  return { topic, type: 'changed', json: JSON.stringify({ padding: 'x'.repeat(size) }) };
}

function events(count: number, topic = 'orders', size = 0): NewEntry[] {
  return Array.from({ length: count }, () => event(topic, size));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

async function subscribe(
  cursor: Cursor | null = null,
  options: RecordingOptions = {},
): Promise<RecordingFollower> {
  let follower: RecordingFollower | undefined;
  await hub.subscribe(options.workspace ?? 'acme', cursor, (start) => {
    follower = new RecordingFollower(hub, start, options);
    return follower;
  });
  return follower as RecordingFollower;
}

async function at(offset: number, workspace = 'acme'): Promise<Cursor> {
  return { epoch: (await log.extent(workspace)).epoch, offset };
}

const topics = (...patterns: string[]) =>
  createFilter({ topics: patterns, types: null, permitted: null });

describe('a stream', () => {
  it('gets what is published after it was opened, in order', async () => {
    await log.append('acme', events(3));
    const stream = await subscribe();
    expect(stream.start).toMatchObject({ resumed: 'fresh', offset: 3 });
    await log.append('acme', events(2));
    await log.append('other', events(2));
    await log.append('acme', events(1));
    await stream.until(({ offsets }) => offsets.length >= 3);
    expect(stream.offsets).toEqual([4, 5, 6]);
  });

  it('shares its filter with all that ask for the same, also where it came by way of history', async () => {
    await log.append('acme', events(3));
    const first = await subscribe(null, { filter: topics('orders', 'users') });
    const second = await subscribe(await at(0), { filter: topics('users', 'orders') });
    await second.until(({ offsets }) => offsets.length === 3);
    await log.append('acme', events(1));
    await second.until(({ offsets }) => offsets.length === 4);
    expect(second.filter).toBe(first.filter);
  });

  it('gets the history behind its cursor, then what comes', async () => {
    await log.append('acme', events(3_000));
    const stream = await subscribe(await at(10));
    expect(stream.start).toMatchObject({ resumed: 'complete', offset: 10, gap: null });
    await log.append('acme', events(5));
    await stream.until(({ offsets }) => offsets.at(-1) === 3_005);
    expect(stream.offsets).toEqual(range(11, 3_005));
  });

  it('is told of the gap where its history was trimmed, and goes on behind it', async () => {
    for (const _ of range(1, 8)) await log.append('acme', events(1_000));
    const { oldest } = await log.extent('acme');
    const stream = await subscribe(await at(10));
    const { epoch } = await at(0);
    const gap = { from: `${epoch}-10`, epoch, resumesAt: oldest, oldest, reason: 'expired' };
    expect(stream.gaps).toEqual([gap]);
    await stream.until(({ offsets }) => offsets.at(-1) === 8_000);
    expect(stream.offsets).toEqual(range(oldest + 1, 8_000));
  });

  it('is told of a gap that opens while it reads history', async () => {
    await log.append('acme', events(1_000, 'orders', 1_000));
    const stream = await subscribe(await at(0), { isStuck: true });
    await stream.until(({ writes }) => writes === 1);
    for (const _ of range(1, 8)) await log.append('acme', events(1_000));
    const { oldest } = await log.extent('acme');
    expect(oldest).toBeGreaterThan(stream.offsets.length);
    stream.free();
    await stream.until(({ offsets }) => offsets.at(-1) === 9_000);
    expect(stream.gaps).toMatchObject([{ oldest, reason: 'expired' }]);
    const seen = stream.offsets.filter((offset) => offset <= oldest).length;
    expect(stream.offsets).toEqual([...range(1, seen), ...range(oldest + 1, 9_000)]);
  });

  it('gets all of a log that its cursor does not know', async () => {
    await log.append('acme', events(5));
    await log.append('other', events(2));
    const stream = await subscribe(await at(2, 'other'));
    expect(stream.gaps).toMatchObject([{ oldest: 0, reason: 'unknown_epoch' }]);
    await stream.until(({ offsets }) => offsets.length === 5);
    expect(stream.offsets).toEqual([1, 2, 3, 4, 5]);
  });

  it('gets nothing twice where the log has fallen back behind its cursor', async () => {
    await log.append('acme', events(5));
    const stream = await subscribe(await at(9));
    expect(stream.gaps).toMatchObject([{ reason: 'ahead' }]);
    await log.append('acme', events(1));
    await stream.until(({ offsets }) => offsets.length > 0);
    expect(stream.offsets).toEqual([6]);
  });

  it('gets what passes its filter, and may be seen', async () => {
    const stream = await subscribe(null, {
      filter: createFilter({
        topics: ['orders', 'document-*'],
        types: ['changed'],
        permitted: ['document-1*', 'orders'],
      }),
    });
    await log.append('acme', [
      event('orders'),
      event('invoices'),
      event('document-12'),
      event('document-2'),
      { ...event('orders'), type: 'removed' },
      event('orders'),
    ]);
    await stream.until(({ offsets }) => offsets.length >= 3);
    expect(stream.offsets).toEqual([1, 3, 6]);
  });

  it('is not touched by events that do not concern it', async () => {
    const quiet = await subscribe(null, { filter: topics('quiet') });
    const busy = await subscribe(null, { filter: topics('busy') });
    await log.append('acme', events(10, 'busy'));
    await busy.until(({ offsets }) => offsets.length === 10);
    expect(quiet.writes).toBe(0);
  });

  it('gets many waiting events in one write', async () => {
    const stream = await subscribe();
    await log.append('acme', events(100));
    await stream.until(({ offsets }) => offsets.length === 100);
    expect(stream.writes).toBe(1);
  });

  it('gets nothing more when it has closed', async () => {
    const stream = await subscribe();
    const other = await subscribe();
    await log.append('acme', events(1));
    await other.until(({ offsets }) => offsets.length === 1);
    stream.close();
    expect(hub.size).toBe(1);
    await log.append('acme', events(1));
    await other.until(({ offsets }) => offsets.length === 2);
    expect(stream.offsets).toEqual([1]);
  });

  it('ends at the end of its token', async () => {
    const expiresAt = Date.now() / 1_000 + 0.4;
    const stream = await subscribe(null, { expiresAt });
    expect(stream.isClosed).toBe(false);
    await stream.until(({ isClosed }) => isClosed);
    expect(stream.endedWith).toBe('TOKEN_EXPIRED');
    const now = Date.now() / 1_000;
    expect(now).toBeGreaterThanOrEqual(expiresAt);
    expect(now).toBeLessThan(expiresAt + 1);
  });

  it('is told once, at its time, that its token ends soon', async () => {
    const warnAt = Date.now() + 300;
    const stream = await subscribe(null, { warnAt, expiresAt: Date.now() / 1_000 + 1.2 });
    await stream.until(({ isClosed }) => isClosed);
    expect(stream.warnedAt).toHaveLength(1);
    expect(stream.warnedAt[0]).toBeGreaterThanOrEqual(warnAt);
    expect(stream.warnedAt[0]).toBeLessThan(stream.expiresAt * 1_000);
  });

  it('ends at once if its token has ended', async () => {
    const stream = await subscribe(await at(0), { expiresAt: Date.now() / 1_000 - 1 });
    expect(stream.endedWith).toBe('TOKEN_EXPIRED');
    expect(stream.offsets).toEqual([]);
    expect(hub.size).toBe(0);
  });
});

describe('a stream that does not drain', () => {
  it('is passed over, keeps its cursor, and gets everything when it drains', async () => {
    const stuck = await subscribe(null, { isStuck: true });
    const swift = await subscribe();
    for (const _ of range(1, 20)) await log.append('acme', events(100));
    await swift.until(({ offsets }) => offsets.length === 2_000);
    expect(stuck.writes).toBe(1);
    stuck.free();
    await stuck.until(({ offsets }) => offsets.length === 2_000);
    expect(stuck.offsets).toEqual(range(1, 2_000));
    expect(stuck.gaps).toEqual([]);
  });

  it('holds no more than one write, however much it lacks, and reads the log when it drains', async () => {
    const stuck = await subscribe(null, { isStuck: true });
    const swift = await subscribe();
    for (const _ of range(1, 20)) await log.append('acme', events(50, 'orders', 1_000));
    await swift.until(({ offsets }) => offsets.length === 1_000);
    expect(stuck.waitingBytes).toBeLessThanOrEqual(65_536);
    stuck.free();
    await stuck.until(({ offsets }) => offsets.length === 1_000);
    expect(stuck.offsets).toEqual(range(1, 1_000));
  });

  it('holds no more than one write of a burst, or of history', async () => {
    await log.append('acme', events(500, 'orders', 1_000));
    const late = await subscribe(await at(0), { isStuck: true });
    const live = await subscribe(null, { isStuck: true });
    await log.append('acme', events(500, 'orders', 1_000));
    for (const stream of [late, live]) {
      await stream.until(({ writes }) => writes === 1);
      expect(stream.waitingBytes).toBeGreaterThan(60_000);
      expect(stream.waitingBytes).toBeLessThanOrEqual(65_536);
    }
  });

  it('is cut when more waits for it than its limit allows, and the others are not', async () => {
    const stuck = await subscribe(null, { isStuck: true });
    const swift = await subscribe();
    await log.append('acme', events(200, 'orders', 1_000));
    await stuck.until(({ isClosed }) => isClosed);
    expect(stuck.endedWith).toBe('SLOW_CONSUMER');
    expect(swift.isClosed).toBe(false);
    expect(swift.offsets).toEqual(range(1, 200));
  });

  it('is not cut for what does not concern it', async () => {
    const stuck = await subscribe(null, { isStuck: true, filter: topics('quiet') });
    const doomed = await subscribe(null, { isStuck: true, filter: topics('busy') });
    await log.append('acme', [event('quiet'), ...events(200, 'busy', 1_000)]);
    await doomed.until(({ isClosed }) => isClosed);
    expect(stuck.isClosed).toBe(false);
  });

  it('is cut when it takes nothing for too long, however little waits', async () => {
    const impatient = new Hub(log, { ...LIMITS, stallMs: 300 });
    hub.close();
    hub = impatient;
    const stuck = await subscribe(null, { isStuck: true });
    await log.append('acme', events(1));
    await stuck.until(({ isClosed }) => isClosed);
    expect(stuck.endedWith).toBe('SLOW_CONSUMER');
  });
});

describe('the heartbeat', () => {
  beforeEach(() => {
    hub.close();
    hub = new Hub(log, { ...LIMITS, heartbeatMs: 100 });
  });

  it('shows that the stream lives', async () => {
    const stream = await subscribe();
    await stream.until(({ pings }) => pings.length >= 2);
    expect(stream.pings.every(Number.isNaN)).toBe(true);
  });

  it('carries the cursor where the workspace moved on without the stream, once', async () => {
    const stream = await subscribe(null, { filter: topics('quiet') });
    await log.append('acme', events(7, 'busy'));
    await stream.until(({ pings }) => pings.length >= 3);
    expect(stream.pings.filter((offset) => !Number.isNaN(offset))).toEqual([7]);
  });

  it('does not make the hub forget a stream that it has blocked', async () => {
    const stuck = await subscribe(null, { isStuck: true });
    await stuck.until(({ pings }) => pings.length === 1);
    await log.append('acme', events(2));
    const witness = await subscribe();
    await witness.until(({ pings }) => pings.length >= 2);
    expect(stuck.offsets).toEqual([]);
    stuck.free();
    await stuck.until(({ offsets }) => offsets.length === 2);
    expect(stuck.offsets).toEqual([1, 2]);
  });

  it('does not save a stream that it has blocked from being cut', async () => {
    hub.close();
    hub = new Hub(log, { ...LIMITS, heartbeatMs: 100, stallMs: 300 });
    const stuck = await subscribe(null, { isStuck: true });
    await stuck.until(({ isClosed }) => isClosed);
    expect(stuck.endedWith).toBe('SLOW_CONSUMER');
    expect(stuck.pings).toHaveLength(1);
  });

  it('passes over a stream that does not drain', async () => {
    const stuck = await subscribe(null, { isStuck: true });
    const other = await subscribe();
    await other.until(({ pings }) => pings.length >= 3);
    expect(stuck.pings).toHaveLength(1);
  });
});

describe('the hub', () => {
  it('gives back the place of a stream that could not be opened', async () => {
    await hub.subscribe('acme', null, () => null);
    await expect(
      hub.subscribe('acme', null, () => {
        throw new Error('the head could not be written');
      }),
    ).rejects.toThrow('the head could not be written');
    expect(hub.size).toBe(0);
  });

  it('passes over nobody when streams leave in the middle of a pass', async () => {
    hub.close();
    hub = new Hub(log, LIMITS);
    const streams = await Promise.all(range(1, 2_000).map(() => subscribe()));
    // When it is the turn of this one, those before it have had theirs. They leave, and the last ones, which have not
    // had theirs, move up into their places.
    const middle = streams[600] as RecordingFollower;
    middle.onWrite = () => {
      expect(streams.at(-1)?.offsets).toEqual([]);
      for (const stream of streams.slice(0, 300)) stream.close();
    };
    await log.append('acme', events(1));
    const left = streams.slice(300);
    await Promise.all(left.map((stream) => stream.until(({ offsets }) => offsets.length === 1)));
  });

  it('misses nothing that becomes durable while it opens a workspace', async () => {
    // What is asked first and answered last: the log has moved on meanwhile.
    const extent = log.extent.bind(log);
    log.extent = async (workspace) => {
      const before = await extent(workspace);
      await log.append(workspace, events(3));
      return before;
    };
    const stream = await subscribe();
    log.extent = extent;
    expect(stream.start.offset).toBe(3);
    await log.append('acme', events(1));
    await stream.until(({ offsets }) => offsets.length > 0);
    expect(stream.offsets).toEqual([4]);
  });

  it('ends any number of streams whose tokens end together', async () => {
    hub.close();
    hub = new Hub(log, LIMITS);
    const expiresAt = Date.now() / 1_000 + 5;
    const streams: RecordingFollower[] = [];
    for (const _ of range(1, 150_000)) streams.push(await subscribe(null, { expiresAt }));
    // Each of them: on a busy machine the last one may come after the end of the first.
    for (const stream of streams) await stream.until(({ isClosed }) => isClosed);
    expect(streams.every(({ endedWith }) => endedWith === 'TOKEN_EXPIRED')).toBe(true);
    expect(hub.size).toBe(0);
  });

  it('opens a workspace once, however many streams come at once', async () => {
    const streams = await Promise.all(range(1, 50).map(() => subscribe()));
    await log.append('acme', events(1));
    await Promise.all(streams.map((stream) => stream.until(({ offsets }) => offsets.length > 0)));
    expect(streams.every(({ offsets }) => offsets.length === 1)).toBe(true);
  });

  it('asks its streams to move when it drains, spread over the window, and takes no new ones', async () => {
    const streams = await Promise.all(range(1, 100).map(() => subscribe()));
    const drained = hub.drain(10_000, true);
    await Promise.all(
      streams.map((stream) => stream.until(({ drainedWith }) => drainedWith.length > 0)),
    );
    const delays = streams.flatMap(({ drainedWith }) => drainedWith).sort((a, b) => a - b);
    expect(delays).toHaveLength(100);
    expect(delays.every((delay) => delay >= 0 && delay < 10_000)).toBe(true);
    expect(delays[9]).toBeLessThan(4_000);
    expect(delays[90]).toBeGreaterThan(6_000);
    await expect(subscribe()).rejects.toMatchObject({ code: 'UNAVAILABLE' });

    await log.append('acme', events(1));
    await Promise.all(streams.map((stream) => stream.until(({ offsets }) => offsets.length > 0)));
    for (const stream of streams) stream.close();
    await drained;
    expect(hub.size).toBe(0);
    expect(hub.stats.ended).toEqual(new Map([['client', 100]]));
  });

  it('ends the streams that have not moved, each a grace after its time', async () => {
    const streams = await Promise.all(range(1, 20).map(() => subscribe()));
    const startedAt = performance.now();
    const livedFor = streams.map(async (stream) => {
      await stream.until(({ isClosed }) => isClosed);
      return performance.now() - startedAt;
    });
    await hub.drain(400, true);
    for (const [index, stream] of streams.entries()) {
      expect(stream.endedWith).toBe('UNAVAILABLE');
      expect(await livedFor[index]).toBeGreaterThanOrEqual((stream.drainedWith[0] ?? 0) + 400);
    }
    expect(hub.stats).toMatchObject({ streams: 0, opened: 20 });
    expect(hub.stats.ended).toEqual(new Map([['UNAVAILABLE', 20]]));
  });

  it.each([
    { how: 'where there is no window', windowMs: 0, canMove: true, most: 3_000 },
    { how: 'on the only node', windowMs: 10_000, canMove: false, most: 13_000 },
  ])(
    'ends its streams at once $how, and has them come back spread',
    async ({ windowMs, canMove, most }) => {
      const streams = await Promise.all(range(1, 20).map(() => subscribe()));
      await hub.drain(windowMs, canMove);
      expect(streams.map(({ endedWith }) => endedWith)).toEqual(streams.map(() => 'UNAVAILABLE'));
      const delays = streams.flatMap(({ drainedWith }) => drainedWith);
      expect(delays).toHaveLength(20);
      expect(delays.every((delay) => delay >= 1_000 && delay <= most)).toBe(true);
      expect(new Set(delays).size).toBeGreaterThan(10);
    },
  );
});

describe('whatever happens', () => {
  const topicNames = ['a', 'b', 'c-1', 'c-2'];
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('publish' as const),
        topics: fc.array(fc.constantFrom(...topicNames), { minLength: 1, maxLength: 40 }),
        size: fc.constantFrom(0, 0, 500, 5_000),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('subscribe' as const),
        patterns: fc.option(
          fc.uniqueArray(fc.constantFrom('a', 'b', 'c-*', '*-1', '*'), { minLength: 1 }),
        ),
        /** How far back from the head it begins, as a share of the history; `null`: fresh. */
        back: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
        isStuck: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('stick' as const, 'free' as const, 'close' as const),
        which: fc.nat(),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ do: 'turn' as const }) },
  );

  it('every stream gets each event that passes its filter once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.uuid(),
        async (steps, workspace) => {
          const published: string[] = [];
          const streams: { stream: RecordingFollower; patterns: string[] | null; from: number }[] =
            [];
          const pending: Promise<unknown>[] = [];
          for (const action of steps) {
            if (action.do === 'publish') {
              published.push(...action.topics);
              pending.push(
                log.append(
                  workspace,
                  action.topics.map((topic) => event(topic, action.size)),
                ),
              );
            } else if (action.do === 'subscribe') {
              const { head } = await log.extent(workspace);
              const from = action.back === null ? null : Math.floor(head * action.back);
              const filter = createFilter({
                topics: action.patterns,
                types: null,
                permitted: null,
              });
              const stream = await subscribe(from === null ? null : await at(from, workspace), {
                workspace,
                filter,
                isStuck: action.isStuck,
              });
              streams.push({ stream, patterns: action.patterns, from: stream.start.offset });
            } else if (action.do === 'turn') {
              await new Promise(setImmediate);
            } else {
              const chosen = streams[action.which % Math.max(1, streams.length)]?.stream;
              if (action.do === 'stick') chosen?.stick();
              if (action.do === 'free') chosen?.free();
              if (action.do === 'close') chosen?.close();
            }
          }
          await Promise.all(pending);
          for (const { stream, patterns, from } of streams) {
            const wanted = published.flatMap((topic, index) =>
              index + 1 > from &&
              (patterns === null || patterns.some((pattern) => matchesPattern(pattern, topic)))
                ? [index + 1]
                : [],
            );
            if (stream.isClosed) {
              expect(stream.offsets).toEqual(wanted.slice(0, stream.offsets.length));
            } else {
              stream.free();
              await stream.until(
                ({ offsets, isClosed }) => isClosed || offsets.length >= wanted.length,
              );
              expect(stream.offsets).toEqual(wanted);
              stream.close();
            }
          }
          expect(hub.size).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });
});
