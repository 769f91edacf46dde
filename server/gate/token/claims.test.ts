import { describe, expect, it } from '@jest/globals';
import type { TokenRules } from '../../config.js';
import { readClaims } from './claims.js';

const ISSUER = { issuer: 'https://issuer.test', audience: 'sluice' };
const RULES: TokenRules = {
  trustedIssuers: [],
  algorithms: ['ES256'],
  requiresAccessTokenType: false,
  workspaceClaim: 'workspace',
  clockToleranceSeconds: 5,
  maxLifetimeSeconds: 3_600,
};
const NOW = 1_700_000_000;
const CLAIMS = {
  iss: 'https://issuer.test',
  aud: 'sluice',
  sub: 'alice',
  exp: NOW + 60,
  workspace: 'acme',
};

type Changes = Readonly<Record<string, unknown>>;
const read = (changes: Changes = {}, rules: Partial<TokenRules> = {}) =>
  readClaims({ ...CLAIMS, ...changes }, ISSUER, { ...RULES, ...rules }, NOW);
const refused = (code: string) => expect.objectContaining({ code });

describe('the claims', () => {
  it('make the principal', () => {
    expect(read()).toEqual({
      subject: 'alice',
      issuer: 'https://issuer.test',
      clientId: null,
      tokenId: null,
      issuedAt: null,
      workspaces: ['acme'],
      expiresAt: NOW + 60,
      claims: CLAIMS,
    });
  });

  it.each<[string, Changes, string | null]>([
    ['its client', { client_id: 'web', azp: 'other' }, 'web'],
    ['its authorized party where no client stands', { azp: 'web' }, 'web'],
    ['no client', {}, null],
  ])('name %s', (_, changes, clientId) => {
    expect(read(changes)).toMatchObject({ clientId });
  });

  it('tell which token it is and when it was made', () => {
    expect(read({ jti: 't1', iat: NOW - 7 })).toMatchObject({ tokenId: 't1', issuedAt: NOW - 7 });
  });

  it.each<[string, Changes]>([
    ['end within the tolerance', { exp: NOW - 4.999 }],
    ['end now', { exp: NOW }],
    ['live as long as they may', { exp: NOW + 3_605 }],
    ['begin at the edge of the tolerance', { nbf: NOW + 5, iat: NOW + 5 }],
    ['began at the beginning of time', { nbf: 0 }],
    ['have lived as long as they may', { iat: NOW - 3_600, exp: NOW }],
    ['are for several audiences', { aud: ['other', 'sluice'] }],
    ['have the longest subject', { sub: 's'.repeat(256) }],
    ['have members that nobody asks for', { odd: [{}], permissions: 7 }],
  ])('hold where they %s', (_, changes) => {
    expect(read(changes)).toMatchObject({ workspaces: ['acme'] });
  });

  it.each<[string, Changes]>([
    ['ended at the edge of the tolerance', { exp: NOW - 5 }],
    ['ended at the beginning of time', { exp: 0 }],
  ])('are called expired where they %s', (_, changes) => {
    expect(() => read(changes)).toThrow(refused('TOKEN_EXPIRED'));
  });

  it('know no tolerance where none is set', () => {
    const strict = { clockToleranceSeconds: 0 };
    expect(() => read({ exp: NOW }, strict)).toThrow(refused('TOKEN_EXPIRED'));
    expect(read({ exp: NOW + 0.001, nbf: NOW }, strict)).toMatchObject({ subject: 'alice' });
    expect(() => read({ nbf: NOW + 0.001 }, strict)).toThrow(refused('INVALID_TOKEN'));
  });

  it.each<[string, Changes]>([
    ['live longer than they may', { exp: NOW + 3_605.001 }],
    ['live longer than they may, though not much longer', { iat: NOW - 3_550, exp: NOW + 51 }],
    ['have lived longer than they may', { iat: NOW - 4_000, exp: NOW - 10 }],
    ['name themselves by a number', { jti: 7 }],
    ['name themselves at too great a length', { jti: 'j'.repeat(257) }],
    ['name a client that is a list', { client_id: ['web'] }],
    ['name a party that is an object', { azp: {} }],
    ['end in milliseconds', { exp: (NOW + 60) * 1_000 }],
    ['end at no number', { exp: Number.NaN }],
    ['begin behind the tolerance', { nbf: NOW + 5.001 }],
    ['were made behind the tolerance', { iat: NOW + 5.001 }],
    ['begin at null', { nbf: null }],
    ['were made at a text', { iat: String(NOW) }],
    ['are of an issuer with a slash more', { iss: 'https://issuer.test/' }],
    ['are for an audience and something else', { aud: ['sluice', 7] }],
    ['are for an audience that holds ours', { aud: 'sluice other' }],
    ['have too long a subject', { sub: 's'.repeat(257) }],
    ['name the workspace null', { workspace: null }],
    ['list workspaces as a text', { workspaces: 'acme' }],
    ['list too many workspaces', { workspaces: Array.from({ length: 1_001 }, () => 'a') }],
  ])('do not hold where they %s', (_, changes) => {
    expect(() => read(changes)).toThrow(refused('INVALID_TOKEN'));
  });

  it('are not called expired where they would not hold anyway', () => {
    const expired = { exp: NOW - 60 };
    expect(() => read(expired)).toThrow(refused('TOKEN_EXPIRED'));
    for (const fault of [{ iss: 'x' }, { aud: 'x' }, { sub: '' }, { workspace: 7 }, { nbf: -1 }]) {
      expect(() => read({ ...expired, ...fault })).toThrow(refused('INVALID_TOKEN'));
    }
  });
});

describe('the workspaces', () => {
  it.each<[string, Changes, string[]]>([
    ['one name', {}, ['acme']],
    ['a list', { workspace: undefined, workspaces: ['a', 'b'] }, ['a', 'b']],
    ['both', { workspaces: ['a', 'b'] }, ['acme', 'a', 'b']],
    ['neither', { workspace: undefined }, []],
    ['an empty list', { workspace: undefined, workspaces: [] }, []],
    [
      'a list of the greatest length',
      { workspaces: Array.from({ length: 1_000 }, (_, n) => `w${n}`) },
      ['acme', ...Array.from({ length: 1_000 }, (_, n) => `w${n}`)],
    ],
  ])('come from %s', (_, changes, workspaces) => {
    expect(read(changes).workspaces).toEqual(workspaces);
  });

  it('come from the claim that is set, and no other', () => {
    const rules = { workspaceClaim: 'https://app.example/tenant' };
    const changes = {
      'https://app.example/tenant': 'one',
      'https://app.example/tenants': ['two'],
    };
    expect(read(changes, rules).workspaces).toEqual(['one', 'two']);
    expect(read({}, rules).workspaces).toEqual([]);
  });

  it('do not come from what every object has', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      expect(read({}, { workspaceClaim: name }).workspaces).toEqual([]);
    }
    const inherited = Object.assign(Object.create({ workspace: 'other' }), CLAIMS);
    delete inherited.workspace;
    expect(readClaims(inherited, ISSUER, RULES, NOW).workspaces).toEqual([]);
  });
});
