import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeWith, itCannotRun } from '../support/tools.js';

const SLUICE = join(import.meta.dirname, '../../server/bin/sluice.js');
const LINE = 'GET /e?access_token=abc&x=1 200\n';
const SCRUBBED = 'GET /e?access_token=*scrubbed*&x=1 200\n';
const CLEAN = 'GET /e?topics=a 200\n';
/** Enough for a run to be met in its middle. */
const LINES = 300_000;
const LONG = LINE.repeat(LINES);
const SHORN = SCRUBBED.repeat(LINES);

let folder: string;
let log: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-scrub-'));
  log = join(folder, 'access.log');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function start(args: readonly string[], stdout: 'pipe' | number = 'pipe') {
  const child = spawn(process.execPath, [SLUICE, 'scrub', ...args], {
    stdio: ['pipe', stdout, 'pipe'],
  });
  child.stdin?.on('error', () => {});
  const output = child.stdout === null ? Promise.resolve(Buffer.alloc(0)) : buffer(child.stdout);
  const errors = child.stderr === null ? Promise.resolve('') : text(child.stderr);
  const ended = Promise.all([once(child, 'close'), output, errors]).then(
    ([[code, signal], out, stderr]) => ({ code, signal, stdout: out.toString('latin1'), stderr }),
  );
  return { child, ended };
}

async function scrub(args: readonly string[], stdin: string | Buffer = '') {
  const { child, ended } = start(args);
  child.stdin?.end(stdin);
  return ended;
}

/** Calls `act` when the temporary file has changed so many times, or has taken the place of the file. */
async function inTheMiddle(act: (child: ReturnType<typeof spawn>) => unknown, changes = 1) {
  const watcher = watch(folder);
  let count = 0;
  const isTime = new Promise<void>((resolve) => {
    watcher.on('change', (_, name) => {
      if (String(name).endsWith('.sluice-scrub')) count++;
      if (count === changes || name === 'access.log') resolve();
    });
  });
  const { child, ended } = start(['--in-place', log]);
  await isTime;
  watcher.close();
  await act(child);
  return ended;
}

describe('sluice scrub', () => {
  it('copies stdin to stdout without its secrets, and says on stderr how many', async () => {
    expect(await scrub([], `${LINE}\0\xff${CLEAN}${LINE}`)).toEqual({
      code: 0,
      signal: null,
      stdout: Buffer.from(`${SCRUBBED}\0\xff${CLEAN}${SCRUBBED}`).toString('latin1'),
      stderr: 'sluice: 2 secrets scrubbed\n',
    });
  });

  it('lets a line through as soon as it is there', async () => {
    const { child, ended } = start([]);
    child.stdin?.write(LINE);
    const [part] = await once(child.stdout as NodeJS.ReadableStream, 'data');
    expect(String(part)).toBe(SCRUBBED);
    child.stdin?.end();
    await ended;
  });

  it('copies files one after the other', async () => {
    await writeFile(log, LINE);
    expect(await scrub([log, '-', log], CLEAN)).toMatchObject({
      code: 0,
      stdout: SCRUBBED + CLEAN + SCRUBBED,
    });
  });

  it('tells with --check where secrets are, and not what they are', async () => {
    await writeFile(log, `${CLEAN}${LINE}${LINE}`);
    const { code, stdout, stderr } = await scrub(['--check', log]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: `${log}:2:21\n${log}:3:21\n` });
    expect(stderr).toBe('sluice: 2 secrets found\n');
    expect(await readFile(log, 'utf8')).toBe(`${CLEAN}${LINE}${LINE}`);
    expect(await scrub(['--check'], CLEAN + SCRUBBED)).toMatchObject({ code: 0, stdout: '' });
  });

  it('tells of a file whose name looks like two lines in one', async () => {
    const name = join(folder, 'a\nb.log:1:1\u001b[2K\u202e');
    await writeFile(name, LINE);
    const { stdout } = await scrub(['--check', name]);
    expect(stdout).toBe(`${folder}/a b.log:1:1 [2K :1:21\n`);
  });

  it('refuses what is packed, in a file and in a pipe', async () => {
    await writeFile(log, gzipSync(LINE));
    for (const outcome of [
      await scrub([log]),
      await scrub(['--in-place', log]),
      await scrub([], gzipSync(LINE)),
    ]) {
      expect(outcome).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('zcat'),
      });
    }
    expect(await readFile(log)).toEqual(gzipSync(LINE));
  });

  it('ends quietly when nobody reads on', async () => {
    await writeFile(log, LONG);
    const { child, ended } = start([log]);
    child.stdout?.once('data', () => child.stdout?.destroy());
    child.stdout?.on('error', () => {});
    await expect(ended.catch(() => once(child, 'close'))).resolves.toBeDefined();
    expect({ code: child.exitCode, signal: child.signalCode }).toEqual({ code: 0, signal: null });
  });

  it('says so where there is no space left', async () => {
    await writeFile(log, LINE);
    const full = await open('/dev/full', 'w');
    const { ended } = start([log], full.fd);
    const { code, stderr } = await ended;
    await full.close();
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no space left'),
    });
  });

  it('needs no more memory for a secret of 120 MB than for one of 20', async () => {
    const peak = async (megabytes: number) => {
      const { child, ended } = start([]);
      const part = Buffer.alloc(1_048_576, 'a');
      child.stdin?.write('x access_token=');
      for (let count = 0; count < megabytes; count++) {
        if (child.stdin?.write(part) === false) await once(child.stdin, 'drain');
      }
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      child.stdin?.end('&y');
      expect((await ended).stdout).toBe('x access_token=*scrubbed*&y');
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
    };
    expect((await peak(120)) - (await peak(20))).toBeLessThan(40);
  });
});

describe('sluice scrub --in-place', () => {
  it('replaces what has secrets, with the same rights, and does not touch what has none', async () => {
    const clean = join(folder, 'clean.log');
    await writeFile(log, LINE);
    await writeFile(clean, CLEAN);
    await chmod(log, 0o640);
    const before = await stat(clean);
    expect(await scrub(['--in-place', log, clean])).toMatchObject({ code: 0, stdout: '' });
    expect(await readFile(log, 'utf8')).toBe(SCRUBBED);
    expect((await stat(log)).mode & 0o7777).toBe(0o640);
    expect(await stat(clean)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
    expect((await readdir(folder)).sort()).toEqual(['access.log', 'clean.log']);
  });

  it('goes on with the next file, and tells that one failed', async () => {
    await writeFile(log, LINE);
    const outcome = await scrub(['--in-place', join(folder, 'none'), log]);
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('no such file') });
    expect(await readFile(log, 'utf8')).toBe(SCRUBBED);
  });

  it('replaces the file that a symbolic link leads to', async () => {
    await writeFile(log, LINE);
    await symlink(log, join(folder, 'current'));
    expect(await scrub(['--in-place', join(folder, 'current')])).toMatchObject({ code: 0 });
    expect(await readFile(log, 'utf8')).toBe(SCRUBBED);
    expect((await lstat(join(folder, 'current'))).isSymbolicLink()).toBe(true);
  });

  it('refuses a pipe, and does not wait for somebody to write to it', async () => {
    execFileSync('mkfifo', [log]);
    expect(await scrub(['--in-place', log])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not a regular file'),
    });
  });

  it('refuses a file with hard links, whose other names would keep the secrets', async () => {
    await writeFile(log, LINE);
    await link(log, join(folder, 'other'));
    const outcome = await scrub(['--in-place', log]);
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('hard links') });
    expect(await readFile(log, 'utf8')).toBe(LINE);
  });

  it('leaves a file whole whenever it is killed, and clears up at the next run', async () => {
    const found: string[] = [];
    for (const changes of [25, Number.POSITIVE_INFINITY, 1]) {
      await writeFile(log, LONG);
      await inTheMiddle((child) => child.kill('SIGKILL'), changes);
      const now = await readFile(log, 'utf8');
      found.push(now === LONG ? 'as it was' : now === SHORN ? 'scrubbed' : 'something else');
    }
    expect(['as it was', 'scrubbed']).toContain(found[0]);
    expect(found.slice(1)).toEqual(['scrubbed', 'as it was']);
    expect(await readdir(folder)).toHaveLength(2);
    expect(await scrub(['--in-place', log])).toMatchObject({ code: 0 });
    expect(await readdir(folder)).toEqual(['access.log']);
    expect((await readFile(log, 'utf8')) === SHORN).toBe(true);
  });

  it('leaves a file as it is where the new one would be too large', async () => {
    await writeFile(log, LONG);
    // In blocks of 1,024 bytes, half of it.
    const command = 'ulimit -f 4000 && exec "$@"';
    const args = ['-c', command, '-', process.execPath, SLUICE, 'scrub', '--in-place', log];
    const { status, stderr } = spawnSync('bash', args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('ulimit -f') });
    expect((await readFile(log, 'utf8')) === LONG).toBe(true);
    expect(await readdir(folder)).toEqual(['access.log']);
  });

  it('clears up after Ctrl-C', async () => {
    await writeFile(log, LONG);
    const outcome = await inTheMiddle((child) => child.kill('SIGINT'));
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('stopped') });
    expect(await readdir(folder)).toEqual(['access.log']);
    expect((await readFile(log, 'utf8')) === LONG).toBe(true);
  });

  it('leaves a file that is being written to, with all that was written', async () => {
    await writeFile(log, LONG);
    const outcome = await inTheMiddle(() => appendFile(log, CLEAN));
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('being written to') });
    expect((await readFile(log, 'utf8')) === LONG + CLEAN).toBe(true);
    expect(await readdir(folder)).toEqual(['access.log']);
  });
});

describeWith('unshare', 'sluice scrub on a full disk', (program) => {
  // A file system of this size, seen by nobody else, that goes with the process.
  const script = `mount -t tmpfs -o size=256k tmpfs "$1" && cd "$1" && cp "$2" access.log && "$3" "$4" scrub --in-place access.log
    echo "exit code $?"; ls -A; cmp access.log "$2" && echo as it was`;

  // Containers often forbid it.
  const mayMount = spawnSync(program, ['--mount', '--map-root-user', 'true']).status === 0;
  if (!mayMount) {
    itCannotRun('a file system of its own may not be mounted here');
    return;
  }

  it('leaves the file as it is', async () => {
    await writeFile(log, LINE.repeat(6000));
    const disk = await mkdtemp(join(folder, 'disk-'));
    const args = [disk, log, process.execPath, SLUICE];
    const { stdout, stderr } = spawnSync(
      program,
      ['--mount', '--map-root-user', 'sh', '-c', script, '-', ...args],
      { encoding: 'utf8' },
    );
    expect(stderr).toContain('there is no space left');
    expect(stdout).toBe('exit code 2\naccess.log\nas it was\n');
  });
});

describeWith('script', 'sluice scrub on a terminal', (program) => {
  const onTerminal = async (file: string) => {
    const command = `"${process.execPath}" "${SLUICE}" scrub --check "${file}"`;
    return (await promisify(execFile)(program, ['-qec', command, '/dev/null'])).stdout;
  };

  it('shows how far it has come with a long file, and clears that away', async () => {
    await writeFile(log, CLEAN);
    expect(await onTerminal(log)).toBe('sluice: 0 secrets found\r\n');
    await truncate(log, 100 * 1024 * 1024);
    const shown = await onTerminal(log);
    expect(shown).toMatch(/^\r\[[#.]{30}\] {1,3}\d{1,3} % \S*access\.log/);
    expect(shown.endsWith('\r\u001b[Ksluice: 0 secrets found\r\n')).toBe(true);
  });
});
