import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { RealtimeError } from '../errors.js';
import { decodeToken, getTokenExpiresIn, isTokenExpired, shouldRefreshToken } from './index.js';

const NOW_S = 1_800_000_000;
const nowMs = NOW_S * 1000;

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function tokenWith(claims: unknown): string {
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

describe('a token that is read', () => {
  it('gives its claims, in every script', () => {
    const claims = { sub: 'Žofie', name: '李小龍 🐉 ÿ', roles: ['a'], exp: NOW_S };
    expect(decodeToken(tokenWith(claims))).toEqual(claims);
  });

  it('gives any claims as they were', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (claims) => {
        const read = decodeToken(tokenWith(claims));
        expect(JSON.stringify(read)).toBe(JSON.stringify(JSON.parse(JSON.stringify(claims))));
      }),
    );
  });

  it('need not be signed, since nothing is verified', () => {
    expect(decodeToken(`${part({ alg: 'none' })}.${part({ sub: 'a' })}.`)).toEqual({ sub: 'a' });
  });

  it.each([
    '',
    'secret',
    'a.secret',
    'secret..',
    `secret.${part({})}`,
    `secret.${part([])}.x`,
    `secret.${part(null)}.x`,
    `secret.${part('text')}.x`,
    `secret.${Buffer.from('{').toString('base64url')}.x`,
    `secret.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.x`,
    `secret. ${part({})}.x`,
    `secret.${part({})}=.x`,
    `secret.${part({})}.x.y.z`,
    `secret.${part({})}.x.y`,
    undefined,
    null,
    7,
    { toString: () => 'secret' },
  ])('is INVALID_TOKEN where it is %j', (token) => {
    for (const read of [decodeToken, getTokenExpiresIn, isTokenExpired, shouldRefreshToken]) {
      const error = thrownBy(() => read(token as string));
      expect(error).toBeInstanceOf(RealtimeError);
      expect(error).toMatchObject({ code: 'INVALID_TOKEN', recoverable: false });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/secret(?!\w*\.)/);
    }
  });

  it.each([{}, { exp: '1800000000' }, { exp: null }])(
    'is INVALID_TOKEN to those who want to know its end, where it says %j',
    (claims) => {
      for (const read of [getTokenExpiresIn, isTokenExpired, shouldRefreshToken]) {
        expect(thrownBy(() => read(tokenWith(claims)))).toMatchObject({ code: 'INVALID_TOKEN' });
      }
    },
  );
});

describe('the end of a token', () => {
  const token = tokenWith({ iat: NOW_S - 200, exp: NOW_S + 100 });

  it('is told in milliseconds, negative once it has passed', () => {
    expect(getTokenExpiresIn(token, { nowMs })).toBe(100_000);
    expect(getTokenExpiresIn(token, { nowMs: nowMs + 100_001 })).toBe(-1);
    expect(getTokenExpiresIn(token, { nowMs, skewMs: 30_000 })).toBe(70_000);
    expect(getTokenExpiresIn(tokenWith({ exp: NOW_S + 0.5 }), { nowMs })).toBe(500);
  });

  it('is measured by the clock of this machine, if nothing else is said', () => {
    const exp = Date.now() / 1000 + 3600;
    expect(getTokenExpiresIn(tokenWith({ exp }))).toBeGreaterThan(3_590_000);
    expect(isTokenExpired(tokenWith({ exp }))).toBe(false);
    expect(isTokenExpired(tokenWith({ exp: exp - 7200 }))).toBe(true);
  });

  it.each([
    [99_999, 0, false],
    [100_000, 0, true],
    [94_999, 5_000, false],
    [95_000, 5_000, true],
  ])('has come after %d ms with a skew of %d ms: %p', (afterMs, skewMs, isExpired) => {
    expect(isTokenExpired(token, { nowMs: nowMs + afterMs, skewMs })).toBe(isExpired);
  });

  it.each([
    ['a long life', { iat: NOW_S - 3600, exp: NOW_S + 60 }, true],
    ['a long life', { iat: NOW_S - 3600, exp: NOW_S + 61 }, false],
    ['a short life', { iat: NOW_S - 80, exp: NOW_S + 20 }, true],
    ['a short life', { iat: NOW_S - 79, exp: NOW_S + 21 }, false],
    ['a life of unknown length', { exp: NOW_S + 60 }, true],
    ['a life of unknown length', { exp: NOW_S + 61 }, false],
    ['a life that is over', { iat: NOW_S - 80, exp: NOW_S - 1 }, true],
    ['a life that ends before it begins', { iat: NOW_S + 80, exp: NOW_S - 1 }, true],
  ])('is near in %s of %j: %p', (_, claims, isNear) => {
    expect(shouldRefreshToken(tokenWith(claims), { nowMs })).toBe(isNear);
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
