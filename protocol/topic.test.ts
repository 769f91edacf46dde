import { describe, expect, it } from '@jest/globals';
import {
  isName,
  isPattern,
  MAX_NAME_LENGTH,
  matchesPattern,
  patternsOverlap,
} from '@sluice/protocol';
import fc from 'fast-check';

/** The same rule, said by a regular expression. */
function matchesReference(pattern: string, name: string): boolean {
  const source = pattern
    .split('*')
    .map((literal) => literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`, 's').test(name);
}

const fewLetters = (letters: string) =>
  fc.string({ unit: fc.constantFrom(...letters), maxLength: 12 });

describe('a name', () => {
  it.each([
    'orders',
    'a',
    'order.created',
    'com.example/orders#1',
    'Zürich',
    '注文',
    '😀',
    'a-b_c:d',
    '.',
    'stream.error',
    '__proto__',
    'a'.repeat(MAX_NAME_LENGTH),
  ])('may be %j', (text) => {
    expect(isName(text)).toBe(true);
    expect(isPattern(text)).toBe(true);
  });

  it.each([
    '',
    ' ',
    'a b',
    ' a',
    'a ',
    'a\t',
    'a\n',
    '\r',
    'a\0',
    'a\u007f',
    'a\u0085b',
    'a\u009f',
    'a\u00a0b',
    'a\u2028b',
    'a\u3000b',
    '\ufeffa',
    'a,b',
    ',',
    'a\ud800',
    '\udc00a',
    'a\u202eb',
    'a\u2066b',
    'a\u200fb',
    'a\u061cb',
    // One star is all there can be: with more of them, an event would cost what a subscriber's patterns make it cost.
    '**',
    'a*b*c',
    'a'.repeat(MAX_NAME_LENGTH + 1),
    '😀'.repeat(MAX_NAME_LENGTH / 2 + 1),
  ])('may not be %j, and neither may a pattern', (text) => {
    expect(isName(text)).toBe(false);
    expect(isPattern(text)).toBe(false);
  });

  it.each(['*', 'orders.*', '*.created', 'a*b'])('may not be the pattern %j', (text) => {
    expect(isName(text)).toBe(false);
    expect(isPattern(text)).toBe(true);
  });
});

describe('a pattern', () => {
  it.each([
    ['*', '', true],
    ['*', 'orders', true],
    ['orders', 'orders', true],
    ['orders', 'Orders', false],
    ['orders', 'orders.eu', false],
    ['orders.*', 'orders.', true],
    ['orders.*', 'orders', false],
    ['orders.*', 'orders.eu.north', true],
    ['*.created', 'order.created', true],
    ['*.created', 'order.created.v2', false],
    ['a*b', 'ab', true],
    ['a*b', 'aXbXb', true],
    ['a*b', 'ba', false],
    ['a.b', 'axb', false],
    ['[a]', 'a', false],
    ['', '', true],
    ['', 'a', false],
  ] as const)('%j for the name %j: %j', (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected);
  });

  const withOneStar = (text: fc.Arbitrary<string>) =>
    fc.tuple(text, text).map(([before, behind]) => `${before}*${behind}`.replaceAll('**', '*'));

  it('stands for the same names as the regular expression it reads like', () => {
    fc.assert(
      fc.property(withOneStar(fewLetters('ab')), fewLetters('ab'), (pattern, name) => {
        expect(matchesPattern(pattern, name)).toBe(matchesReference(pattern, name));
      }),
      { numRuns: 5_000 },
    );
    const anyText = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('*', ''));
    fc.assert(
      fc.property(anyText, anyText, anyText, (before, behind, filling) => {
        expect(matchesPattern(`${before}*${behind}`, before + filling + behind)).toBe(true);
        expect(matchesPattern(before, behind)).toBe(before === behind);
      }),
    );
  });

  it('does not count a character for both of its ends', () => {
    expect(matchesPattern('ab*bc', 'abc')).toBe(false);
    expect(matchesPattern('ab*bc', 'abbc')).toBe(true);
  });
});

describe('two patterns', () => {
  it.each([
    ['orders', 'orders', true],
    ['orders', 'invoices', false],
    ['*', '*', true],
    ['*', 'orders', true],
    ['orders.*', 'orders', false],
    ['orders.*', '*.created', true],
    ['orders.*', 'invoices.*', false],
    ['orders.eu*', 'orders.*', true],
    ['*.created', '*.deleted', false],
    ['*.created', '*order.created', true],
    ['a*b', 'ab', true],
    ['ab*bc', 'abc', false],
  ] as const)('%j and %j overlap: %j', (one, other, expected) => {
    expect(patternsOverlap(one, other)).toBe(expected);
    expect(patternsOverlap(other, one)).toBe(expected);
  });

  it('overlap where some name matches both', () => {
    // Beginnings and ends of up to two letters: a name of eight has room for two of each.
    const names = Array.from({ length: 2 ** 9 - 1 }, (_, index) =>
      (index + 1).toString(2).slice(1).replaceAll('0', 'a').replaceAll('1', 'b'),
    );
    const end = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 2 });
    const pattern = fc
      .tuple(end, end, fc.boolean())
      .map(([before, behind, hasStar]) => `${before}${hasStar ? '*' : ''}${behind}`);
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        const both = names.some((name) => matchesPattern(one, name) && matchesPattern(other, name));
        expect(patternsOverlap(one, other)).toBe(both);
      }),
      { numRuns: 2_000 },
    );
  });
});
