import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Cursor } from '@sluice/protocol';
import { RecordingFollower, type RecordingOptions } from '../../test/support/recording-follower.js';
import type { EventLog, NewEntry } from '../log/event-log.js';
import { openLmdbEventLog } from '../log/lmdb-event-log.js';
import { createFilter } from './filter.js';
import { Hub } from './hub.js';

const LIMITS = {
  heartbeatMs: 3_600_000,
  retryMs: 2_000,
  maxBacklogBytes: 1_000_000,
  stallMs: 3_600_000,
};
const RETENTION = {
  default: { maxAgeSeconds: 3_600, maxEvents: 5_000, maxBytes: 100_000_000 },
  workspaces: [],
};
const TOPICS = ['orders', 'users', 'rooms'];

let folder: string;
let log: EventLog;
let hub: Hub;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-deliveries-'));
  log = await openLmdbEventLog(folder, RETENTION);
  hub = new Hub(log, LIMITS, ['acme', 'quiet']);
});
afterEach(async () => {
  hub.close();
  await log.close();
  await rm(folder, { recursive: true });
});

const events = (count: number, topic = 'orders'): NewEntry[] =>
  Array.from({ length: count }, () => ({ topic, type: 'changed', json: '{"n":1}' }));

async function subscribe(cursor: Cursor | null = null, options: RecordingOptions = {}) {
  let follower: RecordingFollower | undefined;
  await hub.subscribe(options.workspace ?? 'acme', cursor, (start) => {
    follower = new RecordingFollower(hub, start, options);
    return follower;
  });
  return follower as RecordingFollower;
}

const at = async (offset: number): Promise<Cursor> => ({
  epoch: (await log.extent('acme')).epoch,
  offset,
});
/** A turn of the pump, after which what it has brought is counted. */
const turn = () => new Promise(setImmediate);

describe('what the hub counts', () => {
  it('is each event once for each stream that gets it, whatever its filter and its place', async () => {
    await log.append('acme', events(700));
    const expected = new Map<RecordingFollower, number>();
    for (let n = 0; n < 12; n++) {
      const topic = TOPICS[n % 4];
      const isElsewhere = n % 5 === 4;
      const stream = await subscribe(n % 3 === 0 && !isElsewhere ? await at(n * 50) : null, {
        workspace: isElsewhere ? `other-${n}` : 'acme',
        ...(topic && { filter: createFilter({ topics: [topic], types: null, permitted: null }) }),
      });
      const old = topic === undefined || topic === 'orders' ? 700 - stream.start.offset : 0;
      const fresh = topic === undefined ? 60 : 20;
      // One of those elsewhere gets what is published there.
      expected.set(stream, isElsewhere ? (n === 4 ? 3 : 0) : old + fresh);
    }
    const elsewhere = await subscribe(null, { workspace: 'other-4' });
    expected.set(elsewhere, 3);
    for (const topic of TOPICS) await log.append('acme', events(20, topic));
    await log.append('other-4', events(3));
    for (const [stream, count] of expected) {
      await stream.until(({ offsets }) => offsets.length >= count);
    }
    await turn();

    const streams = [...expected.keys()];
    const got = streams.reduce((sum, { offsets }) => sum + offsets.length, 0);
    expect(got).toBe([...expected.values()].reduce((sum, count) => sum + count, 0));
    const { delivered, replayed, byWorkspace } = hub.stats;
    expect(delivered).toBe(got);
    expect(replayed).toBeGreaterThan(500);
    expect(replayed).toBeLessThan(got);
    expect(byWorkspace.get('acme')?.events).toBe(got - 6);
    expect(byWorkspace.get('acme')?.streams).toBe(10);
    expect(byWorkspace.get('quiet')).toMatchObject({ streams: 0, events: 0 });
    expect([...byWorkspace.keys()]).toEqual(['acme', 'quiet']);

    for (const stream of streams) stream.close();
    expect(hub.stats.byWorkspace.get('acme')?.streams).toBe(0);
    expect(hub.stats.delivered).toBe(got);
  });

  it('is one round of writes for all that one turn brings, measured from the coming of the first event', async () => {
    const streams = [await subscribe(), await subscribe()];
    await log.append('acme', events(10));
    for (const stream of streams) await stream.until(({ offsets }) => offsets.length === 10);
    await turn();
    const { count, sum } = hub.stats.publishToWrite;
    expect(count).toBe(1);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(5);

    // Whoever can be written to again is looked for, and brings nothing new.
    streams[0]?.stick();
    await log.append('acme', events(1));
    await streams[0]?.until(({ offsets }) => offsets.length === 11);
    await turn();
    streams[0]?.free();
    await turn();
    await turn();
    expect(hub.stats.publishToWrite.count).toBe(2);
  });

  it.each([1, 25, 26, 500])(
    'is measured where %d leave in the middle of a round',
    async (count) => {
      const leave = async () => {
        const leaving = await subscribe();
        leaving.onWrite = () => leaving.close();
      };
      await leave();
      // Whoever leaves is replaced by the last one, so that the second comes when all others have gone.
      const staying = await subscribe();
      for (let n = 1; n < count; n++) await leave();
      await log.append('acme', events(1));
      await staying.until(({ offsets }) => offsets.length === 1);
      await turn();
      await turn();
      expect(hub.stats.publishToWrite.count).toBe(1);
      expect(hub.stats.delivered).toBe(count + 1);
    },
  );

  it('tells of sockets that take no more, until they do', async () => {
    const stuck = await subscribe(null, { isStuck: true });
    const other = await subscribe();
    expect(hub.stats).toMatchObject({ blocked: 0, queuedBytes: 0, lagging: 0 });
    await log.append('acme', events(1));
    await other.until(({ offsets }) => offsets.length === 1);
    await log.append('acme', events(2));
    await other.until(({ offsets }) => offsets.length === 3);
    const { waitingBytes } = stuck;
    expect(waitingBytes).toBeGreaterThan(0);
    expect(hub.stats).toMatchObject({ blocked: 1, queuedBytes: waitingBytes, lagging: 1 });
    stuck.free();
    await stuck.until(({ offsets }) => offsets.length === 3);
    expect(hub.stats).toMatchObject({ blocked: 0, queuedBytes: 0, lagging: 0 });
  });

  it('tells of gaps by their reason, at the start of a stream and within it', async () => {
    await log.append('acme', events(10));
    const { epoch } = await at(0);
    await subscribe({ epoch, offset: 99 });
    await subscribe({ epoch: 'ABCDEFGH', offset: 1 });
    expect(hub.stats.gaps).toEqual(
      new Map([
        ['ahead', 1],
        ['unknown_epoch', 1],
      ]),
    );
    const slow = await subscribe(await at(0), { isStuck: true });
    await slow.until(({ writes }) => writes === 1);
    await log.append('acme', events(1));
    for (let n = 0; n < 8; n++) await log.append('acme', events(1_000));
    slow.free();
    await slow.until(({ offsets }) => offsets.at(-1) === 8_011);
    expect(slow.gaps).toHaveLength(1);
    expect(hub.stats.gaps.get('expired')).toBe(1);
  });
});
