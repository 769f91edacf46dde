import { describe, expect, it } from '@jest/globals';
import { isName, isPattern, MAX_NAME_LENGTH, matchesPattern } from '@sluice/protocol';
import fc from 'fast-check';

/** The same rule, said by a regular expression. */
function matchesReference(pattern: string, name: string): boolean {
  const source = pattern
    .split('*')
    .map((literal) => literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`, 's').test(name);
}

/** A text that counts how often one of its characters is looked at. */
function counted(text: string, count: () => void): string {
  const view = new Proxy(Object(text) as object, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) count();
      return Reflect.get(target, key, target);
    },
  });
  return view as unknown as string;
}

function stepsOf(pattern: string, name: string): number {
  let steps = 0;
  const count = () => {
    steps++;
  };
  matchesPattern(counted(pattern, count), counted(name, count));
  return steps;
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
    'a'.repeat(MAX_NAME_LENGTH + 1),
    '😀'.repeat(MAX_NAME_LENGTH / 2 + 1),
  ])('may not be %j, and neither may a pattern', (text) => {
    expect(isName(text)).toBe(false);
    expect(isPattern(text)).toBe(false);
  });

  it.each(['*', '**', 'orders.*', '*.created', 'a*b*c'])('may not be the pattern %j', (text) => {
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
    ['a**b', 'ab', true],
    ['a.b', 'axb', false],
    ['[a]', 'a', false],
    ['', '', true],
    ['', 'a', false],
  ] as const)('%j for the name %j: %j', (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected);
  });

  it('stands for the same names as the regular expression it reads like', () => {
    fc.assert(
      fc.property(fewLetters('ab*'), fewLetters('ab'), (pattern, name) => {
        expect(matchesPattern(pattern, name)).toBe(matchesReference(pattern, name));
      }),
      { numRuns: 5_000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (pattern, name) => {
        expect(matchesPattern(pattern, name)).toBe(matchesReference(pattern, name));
      }),
    );
  });

  it('stands for every name that is made by filling its stars', () => {
    const parts = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(parts, fc.array(fc.string({ unit: 'binary' })), (literals, fillings) => {
        const withoutStars = literals.map((literal) => literal.replaceAll('*', ''));
        const name = withoutStars.map((text, index) =>
          index === 0 ? text : `${fillings[index] ?? ''}${text}`,
        );
        expect(matchesPattern(withoutStars.join('*'), name.join(''))).toBe(true);
      }),
    );
  });

  it('costs no more than the product of both lengths, whatever it is', () => {
    const bound = (pattern: string, name: string) => 4 * (pattern.length + 1) * (name.length + 1);
    fc.assert(
      fc.property(fewLetters('ab*'), fewLetters('ab'), (pattern, name) => {
        expect(stepsOf(pattern, name)).toBeLessThanOrEqual(bound(pattern, name));
      }),
      { numRuns: 2_000 },
    );
    // Patterns on which a backtracking matcher runs for years.
    const name = 'a'.repeat(MAX_NAME_LENGTH);
    for (const pattern of [
      `${'a*'.repeat(127)}b`,
      `${'*a'.repeat(127)}b`,
      `${'*'.repeat(255)}b`,
      `*${'a'.repeat(127)}b`,
    ]) {
      expect(isPattern(pattern)).toBe(true);
      expect(matchesPattern(pattern, name)).toBe(false);
      expect(stepsOf(pattern, name)).toBeLessThanOrEqual(bound(pattern, name));
    }
  });
});
