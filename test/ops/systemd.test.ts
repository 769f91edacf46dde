import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { describeWith } from '../support/tools.js';

const run = promisify(execFile);
const UNIT = join(import.meta.dirname, '../../ops/systemd/sluice.service');
/** Of 100, by which `systemd-analyze security` tells how much a service could reach; most services have 96. */
const MAX_EXPOSURE = 15;

describeWith('systemd-analyze', 'the unit for systemd', (program) => {
  // What the unit names need not be installed where the tests run; every other complaint counts.
  const complaints = async (file: string) => {
    const { stdout, stderr } = await run(program, ['verify', '--man=no', file]).catch(
      (error: { stdout: string; stderr: string }) => error,
    );
    const lines = (stdout + stderr).split('\n').filter((line) => line !== '');
    return lines.filter((line) => !line.includes('is not executable: No such file or directory'));
  };

  it('is one that systemd understands', async () => {
    expect(await complaints(UNIT)).toEqual([]);
  });

  it('exposes little of the machine', async () => {
    const args = ['security', '--offline=true', `--threshold=${MAX_EXPOSURE}`, UNIT];
    expect((await run(program, args)).stdout).toMatch(
      /Overall exposure level for sluice.service: 1\./,
    );
  });

  it('gives it the time that it may take to end', async () => {
    const unit = await readFile(UNIT, 'utf8');
    const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
    // DRAIN_MS with Redis, the last streams, the last writes.
    expect(Number(seconds)).toBeGreaterThan(10 + 7 + 5);
  });
});
