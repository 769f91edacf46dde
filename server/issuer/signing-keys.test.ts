import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { filePrivateDocument } from './file-private-documents.js';
import { createSigningKey, type SigningKey, writeKeys } from './keys-file.js';
import { type LiveKeys, openSigningKeys } from './signing-keys.js';

let first: SigningKey;
let second: SigningKey;
let folder: string;
let path: string;
let failures: unknown[];
let keys: LiveKeys;

beforeAll(async () => {
  [first, second] = await Promise.all([createSigningKey(), createSigningKey()]);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-live-'));
  path = join(folder, 'keys.json');
  await put(first);
  failures = [];
  keys = await openSigningKeys(filePrivateDocument(path), (error) => failures.push(error));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(...stored: readonly SigningKey[]) {
  await writeFile(path, writeKeys(stored), { mode: 0o600 });
}

const kids = () => keys.published().keys.map(({ kid }) => kid);

/** Asks until it is so; a change is seen within a second. */
async function becomes(isSo: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!isSo()) {
    if (performance.now() - startedAt > 5_000) throw new Error('it did not become so');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the keys that are in use', () => {
  it('are the same object until something changes, and then another one', async () => {
    const before = keys.published();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(keys.published()).toBe(before);
    await put(first, { ...second, signsFromMs: Date.now() + 60_000 });
    await becomes(() => keys.published() !== before);
    expect(kids()).toEqual([first.publicJwk.kid, second.publicJwk.kid]);
    expect(keys.signing().publicJwk.kid).toBe(first.publicJwk.kid);
  });

  it('sign from their time on, without a look at the file', async () => {
    await put(first, { ...second, signsFromMs: Date.now() + 1_500 });
    await becomes(() => kids().length === 2);
    expect(keys.signing().publicJwk.kid).toBe(first.publicJwk.kid);
    await becomes(() => keys.signing().publicJwk.kid === second.publicJwk.kid);
  });

  it('sign by the earliest where the clock was put back before all of them', async () => {
    const ahead = Date.now() + 60_000;
    await put({ ...second, signsFromMs: ahead + 1 }, { ...first, signsFromMs: ahead });
    await becomes(() => kids().length === 2);
    expect(keys.signing().publicJwk.kid).toBe(first.publicJwk.kid);
  });

  it.each([
    ['is damaged', () => writeFile(path, '{')],
    ['is gone', () => rm(path)],
    ['is open to others', () => put(second).then(() => chmod(path, 0o644))],
  ])('stay as they were when the file %s, which is told once', async (_, damage) => {
    await damage();
    await becomes(() => keys.published() !== null && failures.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(kids()).toEqual([first.publicJwk.kid]);
    expect(failures).toHaveLength(1);
    expect(JSON.stringify(failures)).not.toContain('"d"');

    // The mode of a file stays with it.
    await rm(path, { force: true });
    await put(first, { ...second, signsFromMs: Date.now() });
    await becomes(() => kids().length === 2);
  });
});
