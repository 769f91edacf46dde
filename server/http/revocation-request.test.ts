import { describe, expect, it } from '@jest/globals';
import { readRevocation, revocationBody } from './revocation-request.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const RULES = { issuers: ['https://issuer.test', 'two'], clockToleranceSeconds: 5 };

function read(body: unknown) {
  return readRevocation(body, 'acme', RULES, NOW);
}

describe('what is to be revoked', () => {
  it.each<[object, object]>([
    [{ jti: 'a1' }, { kind: 'jti', name: 'a1', before: null }],
    // The clock of an issuer may run ahead by the tolerance.
    [{ sub: 'alice' }, { kind: 'sub', name: 'alice', before: NOW + 5_000 }],
    [{ client_id: 'app' }, { kind: 'client_id', name: 'app', before: NOW + 5_000 }],
    [{ all: true }, { kind: 'all', name: '', before: NOW + 5_000 }],
    [{ sub: 'alice', before: '2026-03-01T12:00:00Z' }, { before: NOW }],
    [{ sub: 'alice', before: '2026-03-01T13:00:00.25+01:00' }, { before: NOW + 250 }],
    [{ all: true, before: '2026-03-01T12:00:05Z' }, { before: NOW + 5_000 }],
    [{ all: true, before: '1970-01-01T00:00:00Z' }, { before: 0 }],
    [{ sub: 'alice', iss: 'two' }, { issuer: 'two' }],
    [{ sub: '__proto__' }, { name: '__proto__' }],
    [{ sub: 'x'.repeat(256) }, { name: 'x'.repeat(256) }],
  ])('is read from %j', (body, parts) => {
    expect(read(body)).toEqual({
      workspace: 'acme',
      kind: expect.any(String),
      name: expect.any(String),
      issuer: null,
      before: expect.anything(),
      revokedAt: NOW,
      ...parts,
    });
  });

  it.each<[unknown, string]>([
    [undefined, 'The body is not a JSON object.'],
    [null, 'The body is not a JSON object.'],
    [[{ all: true }], 'The body is not a JSON object.'],
    ['all', 'The body is not a JSON object.'],
    [{}, 'Exactly one of "jti", "sub", "client_id" and "all" must be given.'],
    [
      { iss: 'two', before: '2026-03-01T12:00:00Z' },
      'Exactly one of "jti", "sub", "client_id" and "all" must be given.',
    ],
    [{ jti: 'a', sub: 'b' }, 'Exactly one of "jti", "sub", "client_id" and "all" must be given.'],
    [{ sub: 'b', all: false }, 'Exactly one of "jti", "sub", "client_id" and "all" must be given.'],
    [{ all: 'true' }, '"all" is not true.'],
    [{ all: false }, '"all" is not true.'],
    [{ all: 1 }, '"all" is not true.'],
    [{ jti: '' }, '"jti" is not a text of 1 to 256 characters.'],
    [{ jti: 7 }, '"jti" is not a text of 1 to 256 characters.'],
    [{ sub: null }, '"sub" is not a text of 1 to 256 characters.'],
    [{ sub: ['alice'] }, '"sub" is not a text of 1 to 256 characters.'],
    [{ client_id: 'x'.repeat(257) }, '"client_id" is not a text of 1 to 256 characters.'],
    [{ sub: 'alice', workspace: 'other' }, '"workspace" is not known here.'],
    [{ Sub: 'alice' }, '"Sub" is not known here.'],
    [JSON.parse('{"sub":"alice","__proto__":{}}'), '"__proto__" is not known here.'],
    [{ sub: 'alice', 'a\u0000b': 1 }, 'A member is not known here.'],
    [{ sub: 'alice', iss: 'three' }, '"iss" is not an issuer whose tokens are accepted here.'],
    [{ sub: 'alice', iss: null }, '"iss" is not an issuer whose tokens are accepted here.'],
    [{ jti: 'a1', before: '2026-03-01T12:00:00Z' }, '"before" does not go with "jti".'],
    [{ all: true, before: '2026-03-01T12:00:05.001Z' }, '"before" lies ahead.'],
    [{ all: true, before: '9999-12-31T23:59:59Z' }, '"before" lies ahead.'],
    [{ all: true, before: NOW }, '"before" is not an RFC 3339 time.'],
    [{ all: true, before: null }, '"before" is not an RFC 3339 time.'],
    [{ all: true, before: 'now' }, '"before" is not an RFC 3339 time.'],
    [{ all: true, before: '2026-03-01' }, '"before" is not an RFC 3339 time.'],
    [{ all: true, before: '2026-02-30T12:00:00Z' }, '"before" is not an RFC 3339 time.'],
    [{ all: true, before: '2026-02-28T12:00:60Z' }, '"before" is not an RFC 3339 time.'],
    [{ all: true, before: '2026-02-28T12:00:00' }, '"before" is not an RFC 3339 time.'],
  ])('is not read from %j', (body, message) => {
    expect(() => read(body)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', message }));
  });

  it.each<[object, object]>([
    [{ jti: 'a1' }, { jti: 'a1' }],
    [{ all: true }, { all: true, before: '2026-03-01T12:00:05.000Z' }],
    [
      { sub: 'alice', iss: 'two', before: '2026-03-01T12:00:00+01:00' },
      { sub: 'alice', iss: 'two', before: '2026-03-01T11:00:00.000Z' },
    ],
  ])('is told as it was asked for: %j', (body, told) => {
    expect(revocationBody(read(body), NOW + 60_000)).toEqual({
      ...told,
      expiresAt: '2026-03-01T12:01:00.000Z',
    });
  });
});
