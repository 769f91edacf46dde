import { beforeEach, describe, expect, it } from '@jest/globals';
import { createSigningKey, type SigningKey } from '../../../test/support/tokens.js';
import { type LocalJwks, LocalKeySet } from './local-key-set.js';

let key: SigningKey;
let jwks: LocalJwks;
let asked = 0;
let keys: LocalKeySet;

beforeEach(async () => {
  key = await createSigningKey('RS256');
  jwks = setOf(key);
  asked = 0;
  keys = new LocalKeySet(() => {
    asked += 1;
    return jwks;
  });
});

const setOf = (...members: SigningKey[]): LocalJwks => ({
  keys: members.map(({ jwk, kid, algorithm }) => ({ ...jwk, kid, alg: algorithm })),
});
const find = ({ kid, algorithm }: SigningKey) => keys.find({ keyId: kid, algorithm });

describe('the keys of an issuer in the process', () => {
  it('are found by their id, for their algorithm', async () => {
    expect((await find(key)).key.equals(key.publicKey)).toBe(true);
    const other = keys.find({ keyId: key.kid, algorithm: 'PS256' });
    await expect(other).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it.each([null, 'unknown', '__proto__', 'constructor'])('are not found by %j', async (keyId) => {
    const found = keys.find({ keyId, algorithm: 'RS256' });
    await expect(found).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('change at once when they are rotated', async () => {
    await find(key);
    const next = await createSigningKey('RS256');
    jwks = setOf(key, next);
    await expect(find(next)).resolves.toBeDefined();
    jwks = setOf(next);
    await expect(find(key)).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('stay the same objects where they stay, and only there', async () => {
    const before = await find(key);
    jwks = setOf(key, await createSigningKey('RS256'));
    expect(await find(key)).toBe(before);
    const { publicKey, jwk } = await createSigningKey('RS256', { kid: key.kid });
    jwks = setOf({ ...key, publicKey, jwk });
    expect(await find(key)).not.toBe(before);
  });

  it('are not built anew for unknown ids', async () => {
    let built = 0;
    const members = jwks.keys;
    jwks = {
      get keys() {
        built += 1;
        return members;
      },
    };
    for (let turn = 0; turn < 100; turn++) {
      const found = keys.find({ keyId: `unknown-${turn}`, algorithm: 'RS256' });
      await expect(found).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    }
    expect({ asked, built }).toEqual({ asked: 100, built: 1 });
  });

  it('let nobody in while they cannot be had, and nobody is told that the token is at fault', async () => {
    keys = new LocalKeySet(() => {
      throw new Error('the file is gone');
    });
    const refusal = await find(key).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'AUTH_ERROR', retryAfterMs: expect.any(Number) });
    expect((refusal as Error).message).not.toContain('file');
  });
});
