import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inbox } from '../../test/support/inbox.js';
import { LineWriter } from './line-writer.js';

let folder: string;
let path: string;
let failures: Inbox<string>;
let recoveries: Inbox<number>;
const events = {
  onFailure: (error: Error) => failures.push(error.message),
  onRecovery: (lost: number) => recoveries.push(lost),
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-lines-'));
  path = join(folder, 'lines');
  failures = new Inbox('a failure');
  recoveries = new Inbox('a recovery');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}\n`);

describe('a writer of lines', () => {
  it('appends lines in their order, and has written all of them when it is closed', async () => {
    await writeFile(path, 'before\n');
    const writer = await LineWriter.openFile(path, events);
    for (const line of numbered(10_000)) writer.write(line);
    await writer.close(10_000);
    expect(await readFile(path, 'utf8')).toBe(`before\n${numbered(10_000).join('')}`);
    expect(failures.items).toEqual([]);
    expect(recoveries.items).toEqual([]);
  });

  it('makes a file that its owner alone may read', async () => {
    const writer = await LineWriter.openFile(path, events);
    await writer.close(1_000);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('writes nothing when it is closed', async () => {
    const writer = await LineWriter.openFile(path, events);
    await writer.close(1_000);
    await writer.close(1_000);
    writer.write('late\n');
    expect(await readFile(path, 'utf8')).toBe('');
  });

  it('tells once of a disk that is full, tries again, and ends all the same', async () => {
    const writer = await LineWriter.openFile('/dev/full', events);
    for (const line of numbered(100)) writer.write(line);
    await failures.atLeast(1);
    writer.write('one more\n');
    // Long enough for a second attempt.
    await writer.close(800);
    expect(failures.items).toHaveLength(1);
    expect(failures.items[0]).toContain('ENOSPC');
  });

  it('holds nobody up where nothing is taken, keeps a bounded part, and tells how much was lost', async () => {
    execFileSync('mkfifo', [path]);
    // Open both ways, so that neither end waits for the other.
    const reader = await open(path, constants.O_RDWR);
    try {
      const writer = await LineWriter.openFile(path, events);
      const line = `${'x'.repeat(999)}\n`;
      const started = performance.now();
      for (let n = 0; n < 20_000; n++) writer.write(line);
      expect(performance.now() - started).toBeLessThan(5_000);

      const chunk = Buffer.alloc(65_536);
      let text = '';
      while (recoveries.items.length === 0) {
        const { bytesRead } = await reader.read(chunk);
        text += chunk.toString('latin1', 0, bytesRead);
      }
      const lost = recoveries.items.reduce((sum, count) => sum + count, 0);
      const kept = 20_000 - lost;
      expect(kept * line.length).toBeLessThanOrEqual(4 * 1024 * 1024 + line.length);
      expect(kept).toBeGreaterThan(4_000);
      while (text.length < kept * line.length) {
        const { bytesRead } = await reader.read(chunk);
        text += chunk.toString('latin1', 0, bytesRead);
      }
      expect(text).toBe(line.repeat(kept));
      await writer.close(1_000);
    } finally {
      await reader.close();
    }
  });
});
