import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ERRORS } from '@sluice/protocol';
import { codeOf, ROOT, readDocument, tableRows } from './markdown.js';

const run = promisify(execFile);

describe('docs/errors.md and docs/api', () => {
  it('are as the code says', async () => {
    const script = join(ROOT, 'tools/docs/write-docs.js');
    // What it prints when it fails names the pages, and says how to make them anew.
    await expect(run(process.execPath, [script, '--check'])).resolves.toMatchObject({ stdout: '' });
  }, 120_000);
});

describe('docs/errors.md', () => {
  it('has every code once, with its status, and whether it is recoverable', () => {
    const page = readDocument('docs/errors.md');
    const rows = ['service-errors', 'client-errors'].flatMap((name) => tableRows(page, name));
    expect(rows.map(([code, status, recoverable]) => [codeOf(code), status, recoverable])).toEqual(
      Object.entries(ERRORS).map(([code, { status, recoverable }]) => [
        ...[code, String(status ?? '')],
        recoverable ? 'yes' : 'no',
      ]),
    );
  });
});
