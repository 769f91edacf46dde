import { generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type JwksServer, startJwksServer } from '../../../test/support/jwks-server.js';
import {
  createSigningKey,
  createTestIssuer,
  type Jwks,
  type SigningKey,
  type TestIssuer,
} from '../../../test/support/tokens.js';
import type { SluiceError } from '../../errors.js';
import { fetchJwks } from './fetch-jwks.js';
import { JwksKeySet } from './jwks-key-set.js';

const COOL_DOWN_MS = 10_000;
const REFRESH_AFTER_MS = 60_000;
const STALE_AFTER_MS = 300_000;
const TIMES = {
  coolDownMs: COOL_DOWN_MS,
  refreshAfterMs: REFRESH_AFTER_MS,
  staleAfterMs: STALE_AFTER_MS,
};

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
  return new JwksKeySet({ ...TIMES, fetch: () => fetchJwks(url) });
}

function pass(milliseconds: number): void {
  passed += milliseconds;
}

const find = ({ kid, algorithm }: SigningKey) => keys.find({ keyId: kid, algorithm });
const findUnknown = (keyId = 'unknown') => keys.find({ keyId, algorithm: 'ES256' });
const current = () => issuer.keys[0] as SigningKey;

async function rotate(): Promise<{ old: SigningKey; fresh: SigningKey }> {
  const fresh = await createSigningKey();
  const [old] = issuer.keys.splice(0, 1, fresh);
  return { old: old as SigningKey, fresh };
}

describe('whether the keys are known', () => {
  it('is told, and asks for them where they are not, no more often than they may be asked for', async () => {
    server.answer = 'error';
    expect(keys.isKnown()).toBe(false);
    await expect(findUnknown()).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    server.answer = 'keys';
    const asked = server.calls.items.length;
    expect(keys.isKnown()).toBe(false);
    expect(keys.isKnown()).toBe(false);
    expect(server.calls.items).toHaveLength(asked);
    pass(COOL_DOWN_MS);
    expect(keys.isKnown()).toBe(false);
    await find(current());
    expect(server.calls.items).toHaveLength(asked + 1);
    expect(keys.isKnown()).toBe(true);

    pass(10 * STALE_AFTER_MS);
    // They can be had again, as far as is known: a node that nobody has asked for long is as good as any.
    expect(keys.isKnown()).toBe(true);
  });
});

/** Waits for the read under way, if there is one: an unknown key id waits for its outcome. */
async function readEnds(count: number): Promise<void> {
  await server.calls.atLeast(count);
  await expect(findUnknown()).rejects.toMatchObject({
    code: expect.stringMatching(/^(INVALID_TOKEN|AUTH_ERROR)$/),
  });
}

/** Waits until the set was read anew for the `count`th time, as it is when its age asks for it. */
async function refreshed(count: number): Promise<void> {
  pass(REFRESH_AFTER_MS + 1);
  await find(current()).catch(() => {});
  await readEnds(count);
}

describe('a key set', () => {
  it('gives the key that its id names', async () => {
    expect((await find(current())).key.equals(current().publicKey)).toBe(true);
  });

  it('reads once for 100 who ask at once while it is cold', async () => {
    const found = await Promise.all(Array.from({ length: 100 }, () => find(current())));
    expect(found.every(({ key }) => key.equals(current().publicKey))).toBe(true);
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

  it('proves a key unknown to those alone who asked before the read began', async () => {
    const asked = await Promise.allSettled([findUnknown('a'), findUnknown('b'), findUnknown('c')]);
    const codes = asked.map((one) => one.status === 'rejected' && (one.reason as SluiceError).code);
    expect(codes).toEqual(['INVALID_TOKEN', 'AUTH_ERROR', 'AUTH_ERROR']);
    expect(server.calls.items).toHaveLength(1);
  });

  it('proves nothing by the read at the start to who came behind it', async () => {
    keys.prefetch();
    await expect(findUnknown()).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    await expect(find(current())).resolves.toBeDefined();
    expect(server.calls.items).toHaveLength(1);
  });

  it('asks nobody for a key that is not named', async () => {
    const found = keys.find({ keyId: null, algorithm: 'ES256' });
    await expect(found).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    expect(server.calls.items).toHaveLength(0);
  });

  it('gives the very same key as long as it is the same', async () => {
    const before = await find(current());
    const { kid } = current();
    issuer.keys.push(await createSigningKey());
    await refreshed(2);
    expect(await find(current())).toBe(before);

    issuer.keys[0] = await createSigningKey('ES256', { kid });
    await refreshed(3);
    const replaced = await find(current());
    expect(replaced).not.toBe(before);
    expect(replaced.key.equals(current().publicKey)).toBe(true);
  });

  it('gives another key where the algorithm of one was narrowed', async () => {
    const rsa = await createSigningKey('RS256');
    const { alg: _, ...silent } = rsa.jwk;
    issuer.keys.push({ ...rsa, jwk: silent });
    const before = await find(rsa);
    issuer.keys[1] = rsa;
    await refreshed(2);
    expect(await find(rsa)).not.toBe(before);
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

  it('49. drops a key that was rotated out with the next read', async () => {
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

  it('49. drops a key that was rotated out while the endpoint was down', async () => {
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

  it('49. lets nobody in by a key that was rotated out in a long silence', async () => {
    await find(current());
    const { old, fresh } = await rotate();
    pass(2 * REFRESH_AFTER_MS + 1);
    await expect(find(old)).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    expect(server.calls.items).toHaveLength(2);
    await expect(find(fresh)).resolves.toBeDefined();
  });

  it('keeps nobody waiting for an endpoint that is known to fail', async () => {
    let fetch: () => Promise<Jwks> = async () => issuer.jwks();
    keys = new JwksKeySet({ ...TIMES, fetch: () => fetch() });
    await find(current());
    fetch = () => Promise.reject(new Error('down'));
    pass(2 * REFRESH_AFTER_MS + 1);
    // The first one waits for what comes of it, and enters by the key that is known.
    await expect(find(current())).resolves.toBeDefined();
    fetch = () => new Promise(() => {});
    pass(COOL_DOWN_MS);
    await expect(find(current())).resolves.toBeDefined();
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

  it('asks an endpoint that fails once in a cool-down while its keys serve on', async () => {
    await find(current());
    server.answer = 'error';
    pass(REFRESH_AFTER_MS + 1);
    for (let turn = 0; turn < 20; turn++) await find(current());
    await readEnds(2);
    for (let turn = 0; turn < 20; turn++) await find(current());
    await readEnds(2);
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
    ['has no key that verifies', ({ jwk }) => ({ keys: [{ ...jwk, kid: 'enc', use: 'enc' }] })],
    [
      'has more than 100 keys',
      ({ jwk }) => ({ keys: Array.from({ length: 101 }, (_, n) => ({ ...jwk, kid: `key-${n}` })) }),
    ],
  ])('because it %s lets nobody in', async (_, setOf) => {
    const key = await createSigningKey();
    await using odd = await startJwksServer(() => setOf(key) as Jwks);
    keys = keySetOf(odd);
    for (const kid of [key.kid, 'key-0']) {
      await expect(keys.find({ keyId: kid, algorithm: 'ES256' })).rejects.toMatchObject({
        code: 'AUTH_ERROR',
      });
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

  it('replaces the one before where it is empty: then all keys were rotated out', async () => {
    await find(current());
    server.answer = 'empty';
    pass(2 * REFRESH_AFTER_MS + 1);
    await expect(find(current())).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    // An empty set may be a fault of the issuer, so that nobody is turned away for good.
    pass(COOL_DOWN_MS);
    await expect(find(current())).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    server.answer = 'keys';
    pass(COOL_DOWN_MS);
    await expect(find(current())).resolves.toBeDefined();
  });

  it('is not one with members that are no keys: they are left out', async () => {
    server.answer = 'bad-member';
    await expect(find(current())).resolves.toBeDefined();
    await expect(findUnknown('bad')).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('is told of, once for each read', async () => {
    server.answer = 'html';
    const failures: unknown[] = [];
    const fetch = () => fetchJwks(server.url);
    keys = new JwksKeySet({ fetch, onFailure: (error) => failures.push(error) });
    keys.prefetch();
    await Promise.allSettled([find(current()), findUnknown()]);
    expect(failures).toEqual([expect.objectContaining({ message: 'is not valid JSON' })]);
  });

  it('is not one of exactly 100 keys', async () => {
    const key = await createSigningKey();
    const set = { keys: Array.from({ length: 100 }, (_, n) => ({ ...key.jwk, kid: `key-${n}` })) };
    await using full = await startJwksServer(() => set);
    keys = keySetOf(full);
    await expect(keys.find({ keyId: 'key-99', algorithm: 'ES256' })).resolves.toBeDefined();
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

  const changedRsa = (members: { n?: Buffer; e?: Buffer }) => async (): Promise<JsonWebKey> => {
    const { jwk } = await createSigningKey('RS256', { kid: 'odd' });
    const written = Object.entries(members).map(([name, bytes]) => {
      if (name === 'n') bytes[0] = 0x80 | (bytes[0] as number);
      return [name, bytes.toString('base64url')];
    });
    return { ...jwk, ...Object.fromEntries(written) };
  };
  const madeOf = (kind: 'x25519' | 'ed448') => async (): Promise<JsonWebKey> => ({
    ...generateKeyPairSync(kind as 'ed448').publicKey.export({ format: 'jwk' }),
    kid: 'odd',
  });

  it.each<[string, () => Promise<JsonWebKey>, string]>([
    ['is for encryption', changed({ use: 'enc' }), 'ES256'],
    ['has a use that is no text', changed({ use: ['sig'] }), 'ES256'],
    ['has operations without "verify"', changed({ key_ops: ['sign'] }), 'ES256'],
    ['has operations that are no list', changed({ key_ops: 'verify' }), 'ES256'],
    ['is an RSA key of 1024 bits', madeBy('RS256', { modulusLength: 1_024 }), 'RS256'],
    ['is an RSA key of over 8192 bits', changedRsa({ n: randomBytes(1_025) }), 'RS256'],
    ['is an RSA key with which anybody signs', changedRsa({ e: Buffer.from([1]) }), 'RS256'],
    ['is for agreements', madeOf('x25519'), 'EdDSA'],
    ['is of the other Edwards curve', madeOf('ed448'), 'EdDSA'],
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
    // At once: that it is not fit is known for certain.
    await expect(keys.find({ keyId: 'odd', algorithm })).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it.each([
    ['RS256', ['RS256', 'PS256'], 'ES256'],
    ['ES256', ['ES256'], 'ES384'],
    ['ES384', ['ES384'], 'ES256'],
    ['EdDSA', ['EdDSA', 'Ed25519'], 'ES256'],
  ] as const)(
    'serves %s as its kind allows where it names no algorithm',
    async (made, may, not) => {
      const key = await createSigningKey(made);
      const { alg: _, use: __, ...jwk } = key.jwk;
      await using silent = await startJwksServer(() => ({ keys: [jwk] }));
      keys = keySetOf(silent);
      for (const algorithm of may) {
        await expect(keys.find({ keyId: key.kid, algorithm })).resolves.toBeDefined();
      }
      await expect(keys.find({ keyId: key.kid, algorithm: not })).rejects.toMatchObject({
        code: 'INVALID_TOKEN',
      });
    },
  );
});

describe('what is told of the reading of keys', () => {
  it('is how often it went well and failed, how old the keys are, and how many verify', async () => {
    expect(keys.fetches).toEqual({ ok: 0, failed: 0, ageMs: null, keys: 0 });
    await find(current());
    expect(keys.fetches).toEqual({ ok: 1, failed: 0, ageMs: expect.any(Number), keys: 1 });
    expect(keys.fetches.ageMs).toBeLessThan(COOL_DOWN_MS);

    server.answer = 'reset';
    pass(COOL_DOWN_MS + 1);
    await expect(findUnknown()).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    expect(keys.fetches).toMatchObject({ ok: 1, failed: 1, keys: 1 });
    // Not of the failure, but since they were read.
    expect(keys.fetches.ageMs).toBeGreaterThan(COOL_DOWN_MS);
  });

  it('leaves out keys that do not verify', async () => {
    const other = { kty: 'RSA', kid: 'for-secrets', use: 'enc' };
    const fetch = async () => ({ keys: [...issuer.jwks().keys, other] });
    keys = new JwksKeySet({ ...TIMES, fetch });
    await find(current());
    expect(keys.fetches.keys).toBe(1);
  });
});
