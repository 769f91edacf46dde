import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runScript } from '../support/run-script.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-idle-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('an idle stream', () => {
  it('keeps neither its request nor its response', async () => {
    await using script = runScript('test/support/run-idle-stream.js', { DATA_DIR: folder });
    expect(await script.exited).toBe(0);
    expect(JSON.parse(script.lines.items.at(-1) ?? '')).toEqual({
      made: 2,
      alive: 0,
      open: 1,
      left: 0,
    });
  });
});
