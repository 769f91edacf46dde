import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { describeWith } from './tools.js';

const run = promisify(execFile);

describeWith('curl', 'the curl program', (path) => {
  it('runs', async () => {
    expect((await run(path, ['--version'])).stdout).toMatch(/^curl \d/);
  });
});

describeWith('chromium', 'the Chromium program', (path) => {
  it('runs', async () => {
    expect((await run(path, ['--version', '--no-sandbox'])).stdout).toMatch(/^Chromium \d/);
  });
});

describeWith('firefox-esr', 'the Firefox program', (path) => {
  it('runs', async () => {
    expect((await run(path, ['--version'])).stdout).toMatch(/^Mozilla Firefox \d/);
  });
});

for (const major of [22, 24] as const) {
  describeWith(`node-${major}`, `the Node ${major} program`, (path) => {
    it('runs', async () => {
      expect((await run(path, ['--version'])).stdout).toMatch(`v${major}.`);
    });
  });
}
