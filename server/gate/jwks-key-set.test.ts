import type { JsonWebKey } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type JwksServer, startJwksServer } from '../../test/support/jwks-server.js';
import {
  createSigningKey,
  createTestIssuer,
  type Jwks,
  type SigningKey,
  type TestIssuer,
} from '../../test/support/tokens.js';
import { fetchJwks } from './fetch-jwks.js';
import { JwksKeySet } from './jwks-key-set.js';

const COOL_DOWN_MS = 10_000;
const REFRESH_AFTER_MS = 60_000;
const STALE_AFTER_MS = 300_000;

let issuer: TestIssuer;
let server: JwksServer;
let keys: JwksKeySet;
let passed = 0;

beforeEach(async () => {
  issuer = await createTestIssuer();
  server = await startJwksServer(issuer.jwks);
  keys = keySetOf(server);
  passed = 0;
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + passed);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await server[Symbol.asyncDispose]();
});

function keySetOf({ url }: JwksServer): JwksKeySet {
  return new JwksKeySet({
    fetch: () => fetchJwks(url, 2_000),
    coolDownMs: COOL_DOWN_MS,
    refreshAfterMs: REFRESH_AFTER_MS,
    staleAfterMs: STALE_AFTER_MS,
  });
}

function pass(milliseconds: number): void {
  passed += milliseconds;
}

const find = ({ kid, algorithm }: SigningKey) => keys.find(kid, algorithm);
const findUnknown = (kid = 'unknown') => keys.find(kid, 'ES256');
const current = () => issuer.keys[0] as SigningKey;

async function rotate(): Promise<{ old: SigningKey; fresh: SigningKey }> {
  const fresh = await createSigningKey();
  const [old] = issuer.keys.splice(0, 1, fresh);
  return { old: old as SigningKey, fresh };
}

/** Waits for the read under way, if there is one: an unknown key id waits for its outcome. */
async function readEnds(count: number): Promise<void> {
  await server.calls.atLeast(count);
  await expect(findUnknown()).rejects.toMatchObject({
    code: expect.stringMatching(/^(INVALID_TOKEN|AUTH_ERROR)$/),
  });
}

describe('a key set', () => {
  it('gives the key that its id names', async () => {
    expect((await find(current())).equals(current().publicKey)).toBe(true);
  });

  it('reads once for 100 who ask at once while it is cold', async () => {
    const found = await Promise.all(Array.from({ length: 100 }, () => find(current())));
    expect(found.every((key) => key.equals(current().publicKey))).toBe(true);
    expect(server.calls.items).toHaveLength(1);
  });

  it('lets a good key id in beside 1,000 unknown ones, with two reads at most', async () => {
    const flood = () => Array.from({ length: 1_000 }, (_, n) => findUnknown(`unknown-${n}`));
    for (const _ of ['cold', 'warm']) {
      const settled = Promise.allSettled(flood());
      await expect(find(current())).resolves.toBeDefined();
      expect((await settled).map(({ status }) => status)).not.toContain('fulfilled');
    }
    pass(COOL_DOWN_MS);
    const settled = Promise.allSettled(flood());
    await expect(find(current())).resolves.toBeDefined();
    await settled;
    expect(server.calls.items).toHaveLength(2);
  });

  it('says that an unknown key id is unknown when it has just looked', async () => {
    await expect(findUnknown()).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('cannot tell an unknown key id during the cool-down, and says when to come back', async () => {
    await find(current());
    await expect(findUnknown()).rejects.toMatchObject({
      code: 'AUTH_ERROR',
      retryAfterMs: expect.any(Number),
    });
    expect(server.calls.items).toHaveLength(1);
    pass(COOL_DOWN_MS);
    await expect(findUnknown()).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    expect(server.calls.items).toHaveLength(2);
  });

  it('takes a key that was rotated in after the cool-down, and calls it invalid never', async () => {
    await find(current());
    const { fresh } = await rotate();
    await expect(find(fresh)).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    pass(COOL_DOWN_MS);
    await expect(find(fresh)).resolves.toBeDefined();
  });

  it('drops a key that was rotated out with the next read', async () => {
    await find(current());
    const { old, fresh } = await rotate();
    pass(REFRESH_AFTER_MS + 1);
    // The read goes on in the background: nobody waits for it.
    await expect(find(old)).resolves.toBeDefined();
    await readEnds(2);
    await expect(find(old)).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    pass(COOL_DOWN_MS);
    await expect(find(old)).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    await expect(find(fresh)).resolves.toBeDefined();
  });

  it('drops a key that was rotated out while the endpoint was down', async () => {
    await find(current());
    server.answer = 'down';
    pass(REFRESH_AFTER_MS + 1);
    await find(current());
    await readEnds(2);
    const { old } = await rotate();
    server.answer = 'keys';
    pass(COOL_DOWN_MS);
    await find(old);
    await readEnds(3);
    await expect(find(old)).rejects.toMatchObject({ code: 'AUTH_ERROR' });
  });

  it('goes on with the keys that it has while the endpoint is down, until they are stale', async () => {
    await find(current());
    server.answer = 'down';
    pass(STALE_AFTER_MS - 10_000);
    await expect(find(current())).resolves.toBeDefined();
    await readEnds(2);
    pass(10_001);
    await expect(find(current())).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    server.answer = 'keys';
    pass(COOL_DOWN_MS);
    await expect(find(current())).resolves.toBeDefined();
  });

  it('asks an endpoint that fails once in a cool-down, however often it is asked itself', async () => {
    server.answer = 'error';
    for (let turn = 0; turn < 20; turn++) {
      await expect(find(current())).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    }
    expect(server.calls.items).toHaveLength(1);
    pass(COOL_DOWN_MS);
    await expect(find(current())).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    expect(server.calls.items).toHaveLength(2);
  });

  it('refreshes once for all who ask at once', async () => {
    await find(current());
    pass(REFRESH_AFTER_MS + 1);
    await Promise.all(Array.from({ length: 50 }, () => find(current())));
    await readEnds(2);
    await find(current());
    expect(server.calls.items).toHaveLength(2);
  });
});

describe('a set that cannot be used', () => {
  const twice = ({ jwk }: SigningKey): Jwks => ({ keys: [jwk, jwk] });

  it.each<[string, (key: SigningKey) => unknown]>([
    ['names two keys alike', twice],
    ['is no list', ({ jwk }) => ({ keys: { 0: jwk } })],
    ['is null', () => ({ keys: null })],
    ['is empty', () => ({ keys: [] })],
    [
      'has more than 100 keys',
      ({ jwk }) => ({ keys: Array.from({ length: 101 }, (_, n) => ({ ...jwk, kid: `key-${n}` })) }),
    ],
  ])('because it %s lets nobody in', async (_, setOf) => {
    const key = await createSigningKey();
    await using odd = await startJwksServer(() => setOf(key) as Jwks);
    keys = keySetOf(odd);
    for (const kid of [key.kid, 'key-0']) {
      await expect(keys.find(kid, 'ES256')).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    }
  });

  it('does not replace the one before', async () => {
    const [key, other] = [await createSigningKey(), await createSigningKey()];
    let set: Jwks = { keys: [key.jwk] };
    await using changing = await startJwksServer(() => set);
    keys = keySetOf(changing);
    await find(key);
    set = { keys: [other.jwk, other.jwk] };
    pass(COOL_DOWN_MS);
    await expect(find(other)).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    await expect(find(key)).resolves.toBeDefined();
  });

  it('is not one of exactly 100 keys', async () => {
    const key = await createSigningKey();
    const set = { keys: Array.from({ length: 100 }, (_, n) => ({ ...key.jwk, kid: `key-${n}` })) };
    await using full = await startJwksServer(() => set);
    keys = keySetOf(full);
    await expect(keys.find('key-99', 'ES256')).resolves.toBeDefined();
  });
});

describe('a key that may not verify', () => {
  const changed = (members: Record<string, unknown>) => async (): Promise<JsonWebKey> => ({
    ...(await createSigningKey('ES256', { kid: 'odd' })).jwk,
    ...members,
  });
  const madeBy =
    (...options: Parameters<typeof createSigningKey>) =>
    async (): Promise<JsonWebKey> =>
      (await createSigningKey(options[0], { ...options[1], kid: 'odd' })).jwk;

  it.each<[string, () => Promise<JsonWebKey>, string]>([
    ['is for encryption', changed({ use: 'enc' }), 'ES256'],
    ['has a use that is no text', changed({ use: ['sig'] }), 'ES256'],
    ['has operations without "verify"', changed({ key_ops: ['sign'] }), 'ES256'],
    ['has operations that are no list', changed({ key_ops: 'verify' }), 'ES256'],
    ['is an RSA key of 1024 bits', madeBy('RS256', { modulusLength: 1_024 }), 'RS256'],
    ['lies on another curve', madeBy('ES384'), 'ES256'],
    ['claims an algorithm of another curve', changed({ alg: 'ES384' }), 'ES384'],
    ['claims an algorithm of another kind', changed({ alg: 'RS256' }), 'RS256'],
    ['has an algorithm of its own', madeBy('RS256'), 'PS256'],
    [
      'is symmetric',
      async () => ({ kty: 'oct', k: 'c2VjcmV0', kid: 'odd', alg: 'HS256' }),
      'HS256',
    ],
    ['is not on its curve', changed({ x: 'AAAA' }), 'ES256'],
    [
      'is private',
      async () => ({
        ...(await createSigningKey()).privateKey.export({ format: 'jwk' }),
        kid: 'odd',
        alg: 'ES256',
      }),
      'ES256',
    ],
  ])('because it %s is not there, and harms no other', async (_, make, algorithm) => {
    const good = await createSigningKey();
    const set = { keys: [await make(), good.jwk] };
    await using mixed = await startJwksServer(() => set);
    keys = keySetOf(mixed);
    await expect(find(good)).resolves.toBeDefined();
    pass(COOL_DOWN_MS);
    await expect(keys.find('odd', algorithm)).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it.each([
    ['RS256', ['RS256', 'PS256'], 'ES256'],
    ['ES256', ['ES256'], 'ES384'],
    ['ES384', ['ES384'], 'ES256'],
  ] as const)(
    'serves %s as its kind allows where it names no algorithm',
    async (made, may, not) => {
      const key = await createSigningKey(made);
      const { alg: _, use: __, ...jwk } = key.jwk;
      await using silent = await startJwksServer(() => ({ keys: [jwk] }));
      keys = keySetOf(silent);
      for (const algorithm of may) {
        await expect(keys.find(key.kid, algorithm)).resolves.toBeDefined();
      }
      await expect(keys.find(key.kid, not)).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    },
  );
});
