import { beforeAll, describe, expect, it } from '@jest/globals';
import { createSigningKey, forge, type SigningKey } from '../../test/support/tokens.js';
import { readCompactJwt } from './compact-jwt.js';

const ACCEPTED = ['ES256', 'RS256'];
const HEADER = { alg: 'ES256', kid: 'k1' };

let key: SigningKey;
beforeAll(async () => {
  key = await createSigningKey();
});

const read = (header: unknown, payload: unknown = { sub: 'alice' }) =>
  readCompactJwt(forge(header, payload, key), ACCEPTED);
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

  it('may name a key by 256 characters, and no more', () => {
    expect(read({ ...HEADER, kid: 'k'.repeat(256) })).toMatchObject({ algorithm: 'ES256' });
    expect(() => read({ ...HEADER, kid: 'k'.repeat(257) })).toThrow(refused);
  });

  it('may be nested 16 levels deep, and no more', () => {
    expect(read(HEADER, nested(16))).toMatchObject({ keyId: 'k1' });
    expect(() => read(HEADER, nested(17))).toThrow(refused);
  });

  it.each<[string, unknown]>([
    ['an algorithm off the list', { ...HEADER, alg: 'PS256' }],
    ['an algorithm that every object has', { ...HEADER, alg: 'constructor' }],
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
    expect(() => readCompactJwt(change(forge(HEADER, {}, key)), ACCEPTED)).toThrow(refused);
  });
});
