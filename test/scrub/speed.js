// How fast the built filter is, on a log of 1 GB: in memory, from a file, and through a pipe. `npm run scrub-speed [-- --megabytes 256]`.
// It counts the time of the processor that the process took, so that what else runs on the machine counts for little.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { Scrubber } from '../../server/dist/scrub/scrubber.js';
import { sampleLog } from './sample-log.js';

const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '1024' } } });
const PART = 256 * 1024;
const SAMPLE = sampleLog(64 * 1024 * 1024);
const times = Math.max(1, Math.round(Number(values.megabytes) / 64));
const bytes = SAMPLE.length * times;
const SLUICE = join(import.meta.dirname, '../../server/bin/sluice.js');

/** @type {(name: string, wallMs: number, cpuMs: number) => void} */
function tell(name, wallMs, cpuMs) {
  const rate = (/** @type {number} */ ms) => `${Math.round(bytes / 1_000 / ms)} MB/s`;
  process.stdout.write(
    `${name.padEnd(10)} ${rate(cpuMs)} of processor time, ${rate(wallMs)} by the clock\n`,
  );
}

function measureMemory() {
  const scrubber = new Scrubber();
  const startedAt = performance.now();
  const before = process.cpuUsage();
  for (let time = 0; time < times; time++) {
    for (let from = 0; from < SAMPLE.length; from += PART) {
      scrubber.push(SAMPLE.subarray(from, from + PART));
    }
  }
  const { user, system } = process.cpuUsage(before);
  tell('in memory', performance.now() - startedAt, (user + system) / 1_000);
}

/** @type {(name: string, args: string[], input: string | null) => Promise<void>} */
async function measureCommand(name, args, input) {
  const startedAt = performance.now();
  // The process tells what it took when it ends.
  const child = spawn(
    '/usr/bin/env',
    [
      'bash',
      '-c',
      'TIMEFORMAT="%U %S"; time "$@" 2>/dev/null',
      '-',
      process.execPath,
      SLUICE,
      'scrub',
      ...args,
    ],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const said = text(child.stderr);
  child.stdout.resume();
  if (input === null) child.stdin.end();
  else createReadStream(input, { highWaterMark: PART }).pipe(child.stdin);
  await once(child, 'close');
  const [user = 0, system = 0] = (await said).trim().split(' ').map(Number);
  tell(name, performance.now() - startedAt, (user + system) * 1_000);
}

const folder = await mkdtemp(join(tmpdir(), 'sluice-scrub-speed-'));
try {
  measureMemory();
  const path = join(folder, 'access.log');
  const file = await open(path, 'w');
  for (let time = 0; time < times; time++) await file.write(SAMPLE);
  await file.close();
  await measureCommand('a file', [path], null);
  await measureCommand('a pipe', [], path);
  await measureCommand('--check', ['--check', path], null);
  await measureCommand('in place', ['--in-place', path], null);
} finally {
  await rm(folder, { recursive: true });
}
