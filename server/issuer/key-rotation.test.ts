import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { openKeyRotation } from './key-rotation.js';
import { createSigningKey, type SigningKey, writeKeys } from './keys-file.js';

const LIFE_SECONDS = 600;

let made: readonly SigningKey[];
let dataDir: string;
let keysFile: string;

// Made once: keys are costly to make.
beforeAll(async () => {
  made = await Promise.all([1, 2, 3].map(createSigningKey));
});
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-keys-'));
  keysFile = join(dataDir, 'issuer', 'keys.json');
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const open = () =>
  openKeyRotation({ dataDir, maxTokenLifeSeconds: LIFE_SECONDS, lockPatienceMs: 200 });
const kidOf = (index: number) => made[index]?.publicJwk.kid ?? '';

/** A data folder with keys that sign from so many seconds ago. */
async function openWith(...secondsAgo: readonly number[]) {
  const now = Date.now();
  const keys = secondsAgo.map((seconds, index) => {
    const key = made[index] as SigningKey;
    return { ...key, createdAtMs: now - 100_000_000, signsFromMs: now - seconds * 1_000 };
  });
  await mkdir(join(dataDir, 'issuer'), { mode: 0o700 });
  await writeFile(keysFile, writeKeys(keys), { mode: 0o600 });
  return open();
}

describe('the keys of an issuer', () => {
  it('are listed with what they do, and without themselves', async () => {
    const keys = await openWith(2_000, 1_000, -60);
    const listed = await keys.list();
    expect(listed.map(({ kid, state }) => [kid, state])).toEqual([
      [kidOf(0), 'verifying'],
      [kidOf(1), 'signing'],
      [kidOf(2), 'next'],
    ]);
    expect(Object.keys(listed[0] ?? {}).sort()).toEqual(
      ['alg', 'createdAt', 'kid', 'retirableAt', 'signsFrom', 'state'].sort(),
    );
    // It signed until the next one did; its last token may live for so long, and a second goes to a late signature.
    const [first, second] = listed;
    const lastSignedAt = Date.parse(second?.signsFrom ?? '');
    expect(Date.parse(first?.retirableAt ?? '')).toBe(lastSignedAt + (LIFE_SECONDS + 1) * 1_000);
    expect(listed[2]?.retirableAt).toBeNull();
  });

  it('are none, and nothing is made, before the first start', async () => {
    expect(await open().list()).toEqual([]);
    await expect(open().rotate(60)).rejects.toThrow('there are no keys yet');
    await expect(open().retire({ evenIfTokensLive: true })).rejects.toThrow('no keys yet');
    expect(await readdir(dataDir)).toEqual([]);
  });

  it.each([0, 60])('get a next one, which signs in %i seconds', async (signsIn) => {
    const keys = await openWith(2_000);
    const before = Date.now();
    const added = await keys.rotate(signsIn);
    expect(Date.parse(added.signsFrom)).toBeGreaterThanOrEqual(before + signsIn * 1_000);
    expect(Date.parse(added.signsFrom)).toBeLessThanOrEqual(Date.now() + signsIn * 1_000);
    expect(added.state).toBe(signsIn === 0 ? 'signing' : 'next');
    expect((await keys.list()).map(({ kid }) => kid)).toEqual([kidOf(0), added.kid]);
    expect((await stat(keysFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(dataDir, 'issuer'))).toEqual(['keys.json']);
  });

  it('get no further one while the next one waits', async () => {
    const keys = await openWith(2_000, -60);
    const text = await readFile(keysFile, 'utf8');
    await expect(keys.rotate(60)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    expect(await readFile(keysFile, 'utf8')).toBe(text);
  });

  it('get one of several that are added at once', async () => {
    const keys = await openWith(2_000);
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => keys.rotate(60)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await keys.list()).toHaveLength(2);
  });

  it('are ten at the most', async () => {
    const keys = await openWith(2_000);
    for (let count = 1; count < 10; count++) await keys.rotate(0);
    await expect(keys.rotate(0)).rejects.toThrow('10 keys already');
    expect(await keys.list()).toHaveLength(10);
  });
});

describe('a change of the keys that died in the middle', () => {
  it('leaves them as they were, and names what it left', async () => {
    const keys = await openWith(2_000);
    await writeFile(`${keysFile}.lock`, '{"version":2,"keys":[{"ki');
    expect(await keys.list()).toHaveLength(1);
    await expect(keys.rotate(0)).rejects.toThrow(`${keysFile}.lock exists`);
    await rm(`${keysFile}.lock`);
    await keys.rotate(0);
    expect(await keys.list()).toHaveLength(2);
  });
});

describe('retiring keys', () => {
  it('removes those whose tokens have expired', async () => {
    const keys = await openWith(3_000, 2_000, 1);
    expect(await keys.retire({ evenIfTokensLive: false })).toEqual([kidOf(0)]);
    expect((await keys.list()).map(({ kid }) => kid)).toEqual([kidOf(1), kidOf(2)]);
  });

  it('keeps those whose tokens may live, unless it is told not to', async () => {
    const keys = await openWith(2_000, 1);
    const text = await readFile(keysFile, 'utf8');
    expect(await keys.retire({ evenIfTokensLive: false })).toEqual([]);
    const named = { kid: kidOf(0), evenIfTokensLive: false };
    await expect(keys.retire(named)).rejects.toThrow('may live until 2');
    expect(await readFile(keysFile, 'utf8')).toBe(text);
    expect(await keys.retire({ kid: kidOf(0), evenIfTokensLive: true })).toEqual([kidOf(0)]);
    expect((await keys.list()).map(({ kid }) => kid)).toEqual([kidOf(1)]);
  });

  it('keeps what signs and what signs next', async () => {
    const keys = await openWith(2_000, -60);
    expect(await keys.retire({ evenIfTokensLive: true })).toEqual([]);
    await expect(keys.retire({ kid: kidOf(0), evenIfTokensLive: true })).rejects.toThrow('signs');
    await expect(keys.retire({ kid: kidOf(1), evenIfTokensLive: false })).rejects.toThrow('next');
    expect(await keys.list()).toHaveLength(2);
  });

  it('removes the next key where it is named and that is meant, so that a leak can be mended at once', async () => {
    const keys = await openWith(2_000, -60);
    await expect(keys.rotate(0)).rejects.toThrow('--even-if-tokens-live');
    expect(await keys.retire({ kid: kidOf(1), evenIfTokensLive: true })).toEqual([kidOf(1)]);
    await keys.rotate(0);
    expect((await keys.list()).map(({ kid }) => kid)).not.toContain(kidOf(1));
  });

  it('names a key that is not there', async () => {
    const keys = await openWith(2_000);
    const retired = keys.retire({ kid: 'another', evenIfTokensLive: true });
    await expect(retired).rejects.toThrow('there is no such key');
  });

  it('leaves a damaged file as it is', async () => {
    const keys = await openWith(2_000, 1);
    await writeFile(keysFile, '{"version":2,');
    await expect(keys.retire({ evenIfTokensLive: true })).rejects.toThrow('is damaged');
    await expect(keys.rotate(0)).rejects.toThrow('is damaged');
    expect(await readFile(keysFile, 'utf8')).toBe('{"version":2,');
  });
});
