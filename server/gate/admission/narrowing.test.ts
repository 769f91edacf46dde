import { describe, expect, it } from '@jest/globals';
import { matchesPattern } from '@sluice/protocol';
import fc from 'fast-check';
import { isNarrower } from './narrowing.js';

type Patterns = readonly string[] | null;

describe('what is permitted now', () => {
  it.each<[asked: Patterns, before: Patterns, now: Patterns]>([
    [null, null, null],
    [null, ['orders'], null],
    [null, ['orders'], ['*']],
    [null, null, ['orders', '*']],
    [null, ['orders', 'invoices'], ['invoices', 'orders']],
    [null, ['orders-eu'], ['orders-*']],
    [null, ['orders-*'], ['o*', 'x']],
    [null, ['a*b'], ['a*']],
    [null, [], ['orders']],
    [['orders'], null, ['orders']],
    [['orders'], null, ['o*']],
    [['orders'], ['orders', 'invoices'], ['orders']],
    [['orders-*'], ['invoices-*', 'orders-*'], ['orders-*']],
    [['orders-*'], ['invoices', 'orders-eu'], ['orders-eu']],
  ])('is no less: asked for %j, before %j, now %j', (asked, before, now) => {
    expect(isNarrower(asked, before, now)).toBe(false);
  });

  it.each<[asked: Patterns, before: Patterns, now: Patterns]>([
    [null, null, ['orders']],
    [null, ['*'], ['orders']],
    [null, null, []],
    [null, ['orders', 'invoices'], ['orders']],
    [null, ['orders-*'], ['orders-eu']],
    [null, ['o*'], ['orders-*']],
    [['orders', 'invoices'], null, ['orders']],
    [['orders-*'], null, ['orders-eu']],
    [['orders-*'], ['orders-*'], ['orders-eu', 'orders-us']],
  ])('is less: asked for %j, before %j, now %j', (asked, before, now) => {
    expect(isNarrower(asked, before, now)).toBe(true);
  });

  it('shows every topic that was shown before, where it is no less', () => {
    const letters = fc.constantFrom('a', 'b', '');
    const pattern = fc
      .tuple(letters, letters, fc.constantFrom('*', ''), letters)
      .map((parts) => parts.join(''))
      .filter((text) => text !== '');
    const patterns = fc.option(fc.array(pattern, { maxLength: 3 }));
    const name = fc
      .array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join(''));
    const shows = (list: Patterns, topic: string) =>
      list === null || list.some((one) => matchesPattern(one, topic));
    fc.assert(
      fc.property(patterns, patterns, patterns, name, (asked, before, now, topic) => {
        fc.pre(!isNarrower(asked, before, now) && shows(asked, topic) && shows(before, topic));
        expect(shows(now, topic)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
