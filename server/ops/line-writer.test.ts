import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inbox } from '../../test/support/inbox.js';
import { until } from '../../test/support/until.js';
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

  it('opens its file anew by its name, and loses nothing of what is written meanwhile', async () => {
    const writer = await LineWriter.openFile(path, events);
    const lines = numbered(3_000);
    for (const [index, line] of lines.entries()) {
      if (index % 1_000 === 500) {
        await rename(path, `${path}.${index}`);
        writer.reopen();
      }
      writer.write(line);
      if (index % 100 === 0) await new Promise(setImmediate);
      // On a busy machine all lines could be written before the last file is open.
      if (index % 1_000 === 900) await until('the new file is there', () => stat(path));
    }
    await writer.close(10_000);
    const files = [`${path}.500`, `${path}.1500`, `${path}.2500`, path];
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
    expect(texts.join('')).toBe(lines.join(''));
    expect(texts.every((text) => text === '' || text.endsWith('\n'))).toBe(true);
    expect(texts[3]).not.toBe('');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('lets go of a file that was moved away although nothing is written', async () => {
    const writer = await LineWriter.openFile(path, events);
    const isOpen = async () => {
      const numbers = await readdir('/proc/self/fd');
      const links = await Promise.all(
        numbers.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
      );
      return links.filter((link) => link.startsWith(folder));
    };
    await rename(path, `${path}.1`);
    writer.reopen();
    await until('the new one is open alone', async () => (await isOpen()).join() === path);
    await writer.close(1_000);
    expect(await isOpen()).toEqual([]);
  });

  it('stays with its file where it cannot be opened anew', async () => {
    const told = new Inbox<string>('that it was not opened');
    const onNotReopened = (error: Error) => told.push(error.message);
    const inner = join(folder, 'inner');
    await mkdir(inner);
    const writer = await LineWriter.openFile(join(inner, 'lines'), { ...events, onNotReopened });
    await rename(inner, `${inner}.moved`);
    writer.write('before\n');
    writer.reopen();
    expect(await told.next()).toContain('ENOENT');
    writer.write('behind\n');
    await writer.close(1_000);
    expect(await readFile(join(`${inner}.moved`, 'lines'), 'utf8')).toBe('before\nbehind\n');
    expect(failures.items).toEqual([]);
  });

  it('writes to the new file what the former one did not take', async () => {
    await symlink('/dev/full', path);
    const writer = await LineWriter.openFile(path, events);
    for (const line of numbered(10)) writer.write(line);
    await failures.atLeast(1);
    await unlink(path);
    writer.reopen();
    await recoveries.atLeast(1);
    await writer.close(1_000);
    expect(await readFile(path, 'utf8')).toBe(numbered(10).join(''));
    expect(recoveries.items).toEqual([0]);
    expect(writer.lostLines).toBe(0);
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
      const onRecovery = (count: number) => {
        recoveries.push(count);
        // As the log does, which has nowhere else to tell of it.
        writer.write('told\n');
      };
      const writer: LineWriter = await LineWriter.openFile(path, { ...events, onRecovery });
      // It fills the room to the last byte.
      const line = `${'x'.repeat(1_023)}\n`;
      const started = performance.now();
      for (let n = 0; n < 20_000; n++) writer.write(line);
      expect(performance.now() - started).toBeLessThan(5_000);

      const chunk = Buffer.alloc(65_536);
      let text = '';
      while (recoveries.items.length === 0) {
        const { bytesRead } = await reader.read(chunk);
        text += chunk.toString('latin1', 0, bytesRead);
      }
      const [lost = 0] = recoveries.items;
      expect(recoveries.items).toHaveLength(1);
      expect(writer.lostLines).toBe(lost);
      const kept = 20_000 - lost;
      expect(kept * line.length).toBeLessThanOrEqual(4 * 1024 * 1024 + line.length);
      expect(kept).toBeGreaterThan(4_000);
      const all = `${line.repeat(kept)}told\n`;
      while (text.length < all.length) {
        const { bytesRead } = await reader.read(chunk);
        text += chunk.toString('latin1', 0, bytesRead);
      }
      expect(text).toBe(all);
      await writer.close(1_000);
    } finally {
      await reader.close();
    }
  });
});
