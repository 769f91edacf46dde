import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeEventLog, event } from '../../test/contracts/event-log.contract.js';
import { openLmdbEventLog } from './lmdb-event-log.js';

const RETENTION = { maxAgeSeconds: 3_600, maxEvents: 1_000, maxBytes: 1_000_000 };

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
