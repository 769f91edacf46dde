import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-bench-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function bench(...args: readonly string[]) {
  return run(process.execPath, [join(ROOT, 'bench/dist/run.js'), ...args]);
}

describe('npm run bench', () => {
  test('measures Sluice and its peers, and writes a table, the numbers and a chart', async () => {
    const { stdout } = await bench('--quick', '--only', 'publish-single', '--out', folder);
    expect(stdout).toMatch(/^\| Nchan \| \d/m);
    const { figures } = JSON.parse(await readFile(join(folder, 'results.json'), 'utf8'));
    const rates = figures[0].subjects.map(
      ({ values }: { values: Record<string, number[]> }) => values['events/s']?.[0],
    );
    expect(rates.length).toBeGreaterThanOrEqual(3);
    expect(rates.every((rate: number) => rate > 0)).toBe(true);
    expect(await readFile(join(folder, 'results.md'), 'utf8')).toContain('| Node | v');
    expect(await readFile(join(folder, 'publish-single.svg'), 'utf8')).toContain('</svg>');
  }, 120_000);

  test('says which figures there are, and refuses others', async () => {
    const { stdout } = await bench('--list');
    expect(stdout).toMatch(/^replay-long {2}/m);
    await expect(bench('--only', 'nothing')).rejects.toThrow('no such figure: nothing');
  }, 60_000);
});
