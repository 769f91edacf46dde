import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  createSigningKey,
  createTestIssuer,
  forge,
  inSeconds,
  type SigningKey,
  type TestIssuer,
} from '../../../test/support/tokens.js';
import type { TokenRules } from '../../config.js';
import { SluiceError } from '../../errors.js';
import { type IssuerKeys, JwtTokenVerifier } from './jwt-token-verifier.js';
import { LocalKeySet } from './local-key-set.js';
import { SecretKeySet } from './secret-key-set.js';

const SECRET = 'a secret of the tests, long enough';
const RULES: TokenRules = {
  trustedIssuers: [],
  algorithms: ['ES256', 'RS256', 'EdDSA'],
  requiresAccessTokenType: false,
  workspaceClaim: 'workspace',
  clockToleranceSeconds: 5,
  maxLifetimeSeconds: 7_200,
};

let one: TestIssuer;
let other: TestIssuer;
let verifier: JwtTokenVerifier;

beforeEach(async () => {
  one = await createTestIssuer({ issuer: 'https://one.test', audience: 'one' });
  other = await createTestIssuer({ issuer: 'https://other.test', audience: 'other' });
  verifier = new JwtTokenVerifier([keysOf(one), keysOf(other), sharedSecret()], RULES);
});

/** The keys of the issuer as they are at each moment. */
function keysOf(issuer: TestIssuer, algorithms: readonly string[] = RULES.algorithms): IssuerKeys {
  const jwks = () => ({
    keys: issuer.keys.map(({ jwk, kid, algorithm }) => ({ ...jwk, kid, alg: algorithm })),
  });
  return { ...issuer, algorithms, keys: new LocalKeySet(jwks) };
}

function sharedSecret(): IssuerKeys {
  const keys = new SecretKeySet(SECRET);
  return { issuer: 'urn:shared', audience: 'shared', algorithms: ['HS256'], keys };
}

const keyOf = (issuer: TestIssuer) => issuer.keys[0] as SigningKey;
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as object;

function hmacOf(header: object, claims: object): string {
  const [head, payload] = forge({ alg: 'HS256', ...header }, claims, '').split('.');
  const signature = createHmac('sha256', SECRET).update(`${head}.${payload}`).digest('base64url');
  return `${head}.${payload}.${signature}`;
}

const expectRefusal = (token: string, code = 'INVALID_TOKEN') =>
  expect(verifier.verify(token)).rejects.toMatchObject({ code });

describe('several issuers', () => {
  it('are each believed by their own keys, for their own audience', async () => {
    expect(await verifier.verify(one.mint())).toMatchObject({ issuer: one.issuer });
    expect(await verifier.verify(other.mint())).toMatchObject({ issuer: other.issuer });
    await expectRefusal(one.mint({ aud: 'other' }));
    await expectRefusal(one.mint({ iss: 'https://third.test' }));
    await expectRefusal(one.mint({ iss: undefined }));
  });

  it('do not lend each other their keys', async () => {
    await expectRefusal(one.mint({}, { key: keyOf(other) }));
    await expectRefusal(one.mint({ iss: other.issuer, aud: 'other' }));
    // Nor do they by a key id that both have.
    const [mine, theirs] = [keyOf(one), await createSigningKey('ES256', { kid: keyOf(one).kid })];
    other.keys.push(theirs);
    await expect(verifier.verify(other.mint({}, { key: theirs }))).resolves.toBeDefined();
    await expectRefusal(one.mint({}, { key: theirs }));
    await expectRefusal(other.mint({}, { key: mine }));
  });
});

describe('the algorithm', () => {
  it.each(['RS256', 'EdDSA'] as const)('may be %s where it is on the list', async (algorithm) => {
    const key = await createSigningKey(algorithm);
    one.keys.push(key);
    await expect(verifier.verify(one.mint({}, { key }))).resolves.toBeDefined();
    verifier = new JwtTokenVerifier([keysOf(one, ['ES256'])], RULES);
    await expectRefusal(one.mint({}, { key }));
  });

  it('HS256 is for the issuer with a shared secret, and for no other', async () => {
    const shared = { ...claimsOf(one.mint()), iss: 'urn:shared', aud: 'shared' };
    for (const header of [{}, { kid: 'any' }]) {
      await expect(verifier.verify(hmacOf(header, shared))).resolves.toBeDefined();
    }
    await expectRefusal(hmacOf({ kid: keyOf(one).kid }, claimsOf(one.mint())));
    await expectRefusal(forge({ alg: 'ES256', kid: 'any' }, shared, keyOf(one)));
  });
});

describe('a token that was verified', () => {
  it('is remembered, and only then', async () => {
    const token = one.mint();
    expect(verifier.remembers(token)).toBe(false);
    const first = await verifier.verify(token);
    expect(verifier.remembers(token)).toBe(true);
    expect(await verifier.verify(token)).toEqual(first);
  });

  it.each([
    ['a signature that does not hold', () => one.mint({}, { key: keyOf(other) })],
    ['claims that do not hold', () => one.mint({ aud: 'x' })],
    ['a life that is over', () => one.mint({ exp: inSeconds(-60) })],
    ['a form that is none', () => 'x.y.z'],
  ])('is not one with %s', async (_, make) => {
    const token = make();
    await expect(verifier.verify(token)).rejects.toMatchObject({ name: 'SluiceError' });
    expect(verifier.remembers(token)).toBe(false);
  });

  it('is not taken for another that differs in its signature alone', async () => {
    const token = one.mint();
    await verifier.verify(token);
    const [header, payload] = token.split('.');
    await expectRefusal(`${header}.${payload}.${one.mint({ sub: 'x' }).split('.')[2]}`);
  });

  it('is refused when its key was rotated out', async () => {
    const token = one.mint();
    await verifier.verify(token);
    one.keys.splice(0, 1, await createSigningKey());
    await expectRefusal(token);
  });

  it('is refused when its key id names another key now', async () => {
    const token = one.mint();
    await verifier.verify(token);
    one.keys.splice(0, 1, await createSigningKey('ES256', { kid: keyOf(one).kid }));
    await expectRefusal(token);
  });

  it('is refused when its key is for another algorithm now', async () => {
    const key = await createSigningKey('RS256');
    one.keys.push(key);
    const token = one.mint({}, { key });
    await verifier.verify(token);
    one.keys.splice(1, 1, { ...key, algorithm: 'PS256' });
    await expectRefusal(token);
  });

  it('expires as any other', async () => {
    const token = one.mint({ exp: inSeconds(60) });
    await verifier.verify(token);
    const now = Date.now.bind(Date);
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 70_000);
    try {
      await expectRefusal(token, 'TOKEN_EXPIRED');
    } finally {
      clock.mockRestore();
    }
  });

  it('has claims that nobody can change', async () => {
    const token = one.mint({ roles: ['client'] });
    const { claims } = await verifier.verify(token);
    expect(() => (claims['roles'] as string[]).push('admin')).toThrow(TypeError);
    expect((await verifier.verify(token)).claims['roles']).toEqual(['client']);
  });
});

describe('whatever is sent', () => {
  const anything = fc.oneof(fc.jsonValue(), fc.string(), fc.uint8Array());
  const header = fc.record(
    {
      alg: fc.constantFrom<unknown>('ES256', 'RS256', 'EdDSA', 'HS256', 'none', 7, null),
      kid: fc.constantFrom<unknown>('kid', '__proto__', '', null, {}),
      typ: fc.constantFrom<unknown>('JWT', 'at+jwt', '', null),
    },
    { requiredKeys: [] },
  );
  const claims = fc.record(
    {
      iss: fc.constantFrom<unknown>('https://one.test', 'urn:shared', 7),
      aud: fc.oneof(fc.constantFrom<unknown>('one', 'shared'), anything),
      sub: anything,
      exp: fc.oneof(fc.double(), anything),
    },
    { requiredKeys: ['iss'] },
  );

  it('is refused by an error of our own', async () => {
    const key = keyOf(one);
    const written = fc.tuple(fc.oneof(header, anything), fc.oneof(claims, anything));
    const token = fc.oneof(
      fc.string({ maxLength: 60 }),
      written.map(([head, payload]) => forge(named(head), payload, key)),
      fc
        .tuple(written, fc.uint8Array({ maxLength: 80 }))
        .map(([[head, payload], signature]) => forge(named(head), payload, signature)),
    );
    const named = (head: unknown): unknown => {
      const isKeyed = typeof head === 'object' && head !== null && 'kid' in head;
      return isKeyed && head.kid === 'kid' ? { ...head, kid: key.kid } : head;
    };
    await fc.assert(
      fc.asyncProperty(token, async (text) => {
        const error = await verifier.verify(text).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(SluiceError);
        expect(['INVALID_TOKEN', 'TOKEN_EXPIRED']).toContain((error as SluiceError).code);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the type of an access token', () => {
  it('can be required', async () => {
    verifier = new JwtTokenVerifier([keysOf(one)], { ...RULES, requiresAccessTokenType: true });
    await expectRefusal(one.mint());
    await expect(
      verifier.verify(one.mint({}, { header: { typ: 'at+jwt' } })),
    ).resolves.toBeDefined();
  });
});
