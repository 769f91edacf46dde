import { beforeAll, describe, expect, it } from '@jest/globals';
import { createSigningKey, forge, type SigningKey } from '../../../test/support/tokens.js';
import { readCompactJwt } from './compact-jwt.js';

const ANY_JWT = { requiresAccessTokenType: false };
const HEADER = { alg: 'ES256', kid: 'k1' };

let key: SigningKey;
beforeAll(async () => {
  key = await createSigningKey();
});

const read = (header: unknown, payload: unknown = { sub: 'alice' }, rules = ANY_JWT) =>
  readCompactJwt(forge(header, payload, key), rules);
const nested = (depth: number) =>
  Buffer.from(`${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`);
const refused = expect.objectContaining({ code: 'INVALID_TOKEN' });

describe('a compact token', () => {
  it('is read into its parts', () => {
    expect(read({ ...HEADER, typ: 'JWT', x: 1 })).toEqual({
      algorithm: 'ES256',
      keyId: 'k1',
      payload: { sub: 'alice' },
    });
  });

  it.each([undefined, 'JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/jwt'])(
    'may be of type %j',
    (typ) => {
      expect(read({ ...HEADER, typ })).toMatchObject({ keyId: 'k1' });
    },
  );

  it.each([null, '', 'logout+jwt', 'JWT ', 'application/dpop+jwt', ['JWT'], 1])(
    'may not be of type %j',
    (typ) => {
      expect(() => read({ ...HEADER, typ })).toThrow(refused);
    },
  );

  it.each(['at+jwt', 'AT+JWT', 'application/at+jwt'])(
    'is an access token by its type %j where that is required',
    (typ) => {
      expect(
        read({ ...HEADER, typ }, { sub: 'alice' }, { requiresAccessTokenType: true }),
      ).toMatchObject({ keyId: 'k1' });
    },
  );

  it.each([undefined, 'JWT', 'application/jwt', 'at+jwt2'])(
    'is none by its type %j where that is required',
    (typ) => {
      expect(() =>
        read({ ...HEADER, typ }, { sub: 'alice' }, { requiresAccessTokenType: true }),
      ).toThrow(refused);
    },
  );

  it('may name no key, which is for the issuer to judge', () => {
    expect(read({ alg: 'HS256' })).toMatchObject({ algorithm: 'HS256', keyId: null });
  });

  it.each(['k', 'https://id.test/keys#1', 'a+b/c=', 'key of 2024', '1.2'])(
    'may name its key %j',
    (kid) => {
      expect(read({ ...HEADER, kid })).toMatchObject({ keyId: kid });
    },
  );

  it.each([
    '',
    '__proto__',
    'constructor',
    'toString',
    '../../etc/passwd',
    'a\n',
    'ключ',
    '\0',
    null,
    7,
  ])('may not name its key %j', (kid) => {
    expect(() => read({ ...HEADER, kid })).toThrow(refused);
  });

  it.each([null, ['a'], 'text', 7, true])('may not hold %j in place of claims', (payload) => {
    expect(() => read(HEADER, payload)).toThrow(refused);
    expect(() => read(payload)).toThrow(refused);
  });

  it('gives claims that nobody can change', () => {
    const { payload } = read(HEADER, { sub: 'alice', deep: { list: [{}] } });
    const { list } = payload['deep'] as { list: object[] };
    expect([payload, payload['deep'], list, list[0]].every(Object.isFrozen)).toBe(true);
  });

  it('may name a key by 256 characters, and no more', () => {
    expect(read({ ...HEADER, kid: 'k'.repeat(256) })).toMatchObject({ algorithm: 'ES256' });
    expect(() => read({ ...HEADER, kid: 'k'.repeat(257) })).toThrow(refused);
  });

  it('may be nested 16 levels deep, and no more', () => {
    expect(read(HEADER, nested(16))).toMatchObject({ keyId: 'k1' });
    expect(() => read(HEADER, nested(17))).toThrow(refused);
  });

  it.each<[string, unknown]>([
    ['no algorithm', { kid: 'k1' }],
    ['a list of algorithms', { ...HEADER, alg: ['ES256'] }],
    ['the content type of a nested token', { ...HEADER, cty: 'JWT' }],
    ['the whole content type of a nested token', { ...HEADER, cty: 'application/jwt' }],
    ['a content type that is no text', { ...HEADER, cty: ['JWT'] }],
    ['an encryption', { ...HEADER, enc: 'A256GCM' }],
    ['a compression', { ...HEADER, zip: 'DEF' }],
    ['iterations of a password', { ...HEADER, p2c: 1e9 }],
    ['a header nested too deep', { ...HEADER, x: [[[[]]]] }],
    ['a header of over 2 KB', { ...HEADER, x: 'x'.repeat(2_048) }],
    ['its algorithm twice', Buffer.from('{"alg":"none","alg":"ES256","kid":"k1"}')],
    [
      'its algorithm twice, once escaped',
      Buffer.from('{"\\u0061lg":"none","alg":"ES256","kid":"k1"}'),
    ],
    ['a byte order mark', Buffer.from(`\ufeff${JSON.stringify(HEADER)}`)],
    ['text behind its header', Buffer.from(`${JSON.stringify(HEADER)}{}`)],
    ['an extension that is null', { ...HEADER, crit: null }],
    ['an extension that is harmless', { ...HEADER, b64: true }],
    ['a key of its own that is null', { ...HEADER, jwk: null }],
    ['an empty list of certificates', { ...HEADER, x5c: [] }],
  ])('is refused with %s', (_, header) => {
    expect(() => read(header)).toThrow(refused);
  });

  it.each<[string, (token: string) => string]>([
    ['nothing at all', () => ''],
    ['two dots', () => '..'],
    ['an empty segment before it', (token) => `.${token}`],
    ['an empty segment behind it', (token) => `${token}.`],
    ['no signature', (token) => token.replace(/[^.]+$/, '')],
    ['padding', (token) => token.replace('.', '=.')],
    ['a line break', (token) => token.replace('.', '\n.')],
    ['a character of the other alphabet', (token) => `${token.slice(0, -4)}+/+/`],
    ['a lone character in a segment', (token) => `${token}.`.replace(/\.[^.]+\.$/, '.A')],
  ])('is refused with %s', (_, change) => {
    expect(() => readCompactJwt(change(forge(HEADER, {}, key)), ANY_JWT)).toThrow(refused);
  });
});
