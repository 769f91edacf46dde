import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { describeEventLog, event } from '../../test/contracts/event-log.contract.js';
import { until } from '../../test/support/until.js';
import type { EventLog } from './event-log.js';
import { openLmdbEventLog } from './lmdb-event-log.js';

const RETENTION = {
  default: { maxAgeSeconds: 3_600, maxEvents: 1_000, maxBytes: 1_000_000 },
  workspaces: [],
};

const newFolder = () => mkdtemp(join(tmpdir(), 'sluice-log-'));

describeEventLog('the embedded log', () => {
  let folder = '';
  return {
    open: async (retention) => {
      folder = await newFolder();
      return openLmdbEventLog(folder, retention);
    },
    reopen: async (log, retention) => {
      await log.close();
      return openLmdbEventLog(folder, retention);
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
});

describe('the folder of the embedded log', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await newFolder();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('has one owner at a time', async () => {
    const log = await openLmdbEventLog(folder, RETENTION);
    await expect(openLmdbEventLog(folder, RETENTION)).rejects.toThrow(/another Sluice process/);
    await log.append('acme', [event(1)]);
    await log.close();
    const next = await openLmdbEventLog(folder, RETENTION);
    expect(await next.extent('acme')).toMatchObject({ head: 1 });
    await next.close();
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ['overwritten', (path) => writeFile(path, 'hello, this is no store'.repeat(1_000))],
    ['cut short', (path) => truncate(path, 8_192)],
    ['cut to less than a page', (path) => truncate(path, 100)],
  ])('is not opened when its file was %s', async (_, damage) => {
    const log = await openLmdbEventLog(folder, RETENTION);
    await log.append('acme', [event(1)]);
    await log.close();
    await damage(join(folder, 'data.mdb'));
    await expect(openLmdbEventLog(folder, RETENTION)).rejects.toThrow(/data\.mdb is damaged/);
  });

  it('has one owner when many come at once', async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 8 }, () => openLmdbEventLog(folder, RETENTION)),
    );
    const logs = attempts.filter((attempt) => attempt.status === 'fulfilled');
    expect(logs).toHaveLength(1);
    for (const { value } of logs) await value.close();
  });

  it('answers a repetition with its own entries, also where they are trimmed with it', async () => {
    const log = await openLmdbEventLog(folder, {
      ...RETENTION,
      default: { ...RETENTION.default, maxEvents: 4 },
    });
    const fingerprint = Buffer.alloc(32, 1);
    await log.append('acme', [event(1), event(2), event(3), event(4)], { key: 'k', fingerprint });
    const [, repetition] = await Promise.all([
      log.append('acme', [event(100), event(101), event(102)]),
      log.append('acme', [event(1), event(2), event(3), event(4)], { key: 'k', fingerprint }),
    ]);
    expect(
      repetition?.repeated?.map(({ frame }) => /"n":(\d+)/.exec(frame.toString())?.[1]),
    ).toEqual(['1', '2', '3', '4']);
    await log.close();
  });
});

describe('the age of events in the embedded log', () => {
  const DAY_MS = 86_400_000;
  let folder: string;
  let log: EventLog;

  beforeEach(async () => {
    // The clock and the minute of the sweep; what waits for the disk waits as ever.
    jest.useFakeTimers({
      doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'setTimeout', 'performance'],
    });
    folder = await newFolder();
    log = await openLmdbEventLog(folder, {
      ...RETENTION,
      default: { ...RETENTION.default, maxAgeSeconds: 86_400 },
    });
  });
  afterEach(async () => {
    jest.useRealTimers();
    await log.close();
    await rm(folder, { recursive: true, force: true });
  });
  const append = () => log.append('acme', [event(1), event(2)]);

  const minutePasses = () => jest.advanceTimersByTime(60_000);

  it('ends with the next sweep, whether the workspace is used or not', async () => {
    await append();
    jest.advanceTimersByTime(DAY_MS / 2);
    await append();
    jest.advanceTimersByTime(DAY_MS / 2 - 60_000);
    expect(await log.extent('acme')).toMatchObject({ head: 4, oldest: 0 });
    const trimmedTo = (oldest: number) => async () => {
      minutePasses();
      return (await log.extent('acme')).oldest === oldest;
    };
    await until('the old ones are gone', trimmedTo(2));
    jest.advanceTimersByTime(DAY_MS);
    await until('all are gone', trimmedTo(4));
    expect(await append()).toMatchObject({ first: 5 });
    expect(await log.stats()).toMatchObject({ workspaces: 1, events: 2 });
  });

  it('is not over before its time where the clock jumps', async () => {
    const start = Date.now();
    for (const jump of [0, -5 * DAY_MS, DAY_MS / 2, -DAY_MS, DAY_MS / 4, 0]) {
      jest.setSystemTime(start + jump);
      await append();
      expect(await log.extent('acme')).toMatchObject({ oldest: 0 });
    }
    const { epoch } = await log.extent('acme');
    const all = { maxEntries: 100, maxBytes: 1_000_000 };
    const { entries } = await log.read('acme', { epoch, offset: 0 }, all);
    expect(entries).toHaveLength(12);
  });
});

describe('a log made anew', () => {
  it('has other epochs, so that old cursors are recognised', async () => {
    const epochs = new Set<string>();
    for (const _ of [1, 2]) {
      const folder = await newFolder();
      const log = await openLmdbEventLog(folder, RETENTION);
      epochs.add((await log.extent('acme')).epoch);
      await log.close();
      await rm(folder, { recursive: true });
    }
    expect(epochs.size).toBe(2);
  });
});
