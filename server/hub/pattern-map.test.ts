import { describe, expect, it } from '@jest/globals';
import { matchesPattern } from '@sluice/protocol';
import fc from 'fast-check';
import { PatternMap } from './pattern-map.js';

const pattern = fc
  .tuple(
    fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 }),
    fc.constantFrom('', '*'),
    fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 }),
  )
  .map((parts) => parts.join(''));
const name = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 });

describe('a map of patterns', () => {
  it('visits the values of those patterns that stand for a name, each once, also when others have gone', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(pattern, { maxLength: 40 }),
        fc.array(fc.nat()),
        fc.array(name, { minLength: 5, maxLength: 20 }),
        (patterns, gone, names) => {
          const map = new PatternMap<string>();
          const left = [...patterns];
          for (const each of patterns) map.add(each, each);
          for (const which of gone) {
            if (left.length > 0) map.delete(left.splice(which % left.length, 1)[0] as string);
          }
          for (const each of names) {
            const visited: string[] = [];
            map.visit(each, (value) => visited.push(value));
            expect(visited.sort()).toEqual(left.filter((one) => matchesPattern(one, each)).sort());
          }
          for (const each of left) map.delete(each);
          expect(map).toEqual(new PatternMap());
        },
      ),
      { numRuns: 500 },
    );
  });

  it('lets beginning and end not share characters', () => {
    const map = new PatternMap<number>();
    map.add('ab*ba', 1);
    const visited: number[] = [];
    map.visit('aba', (value) => visited.push(value));
    expect(visited).toEqual([]);
    map.visit('abba', (value) => visited.push(value));
    expect(visited).toEqual([1]);
  });

  it('forgets nothing when what is not there is taken out', () => {
    const map = new PatternMap<number>();
    map.add('a*', 1);
    map.delete('b*');
    map.delete('a*c');
    expect([map.get('a*'), map.size]).toEqual([1, 1]);
  });
});
