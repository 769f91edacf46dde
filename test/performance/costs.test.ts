import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const run = promisify(execFile);

/**
 * About twice what was measured when this was written, on a quiet machine and on a busy one: these notice what became a
 * multiple of itself, such as a loop over all streams. What became a tenth dearer, `npm run bench` shows.
 */
const MOST = {
  publish: 14,
  opening: 7,
  batch: 6,
  delivery: 1,
  matching: 1,
};

test('the hot paths cost no more than a multiple of other work in the same process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-costs-'));
  try {
    const script = join(import.meta.dirname, 'measure-costs.js');
    const { stdout } = await run(process.execPath, [script], {
      env: { PATH: process.env['PATH'] ?? '', DATA_DIR: folder },
    });
    const costs = JSON.parse(stdout) as Record<string, number>;
    expect(Object.keys(costs)).toEqual(Object.keys(MOST));
    const tooDear = Object.entries(MOST).filter(([name, most]) => !((costs[name] ?? NaN) <= most));
    expect({ costs, tooDear }).toEqual({ costs, tooDear: [] });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
