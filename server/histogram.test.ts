import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Histogram } from './histogram.js';

describe('a histogram', () => {
  it('has nothing in it at first', () => {
    const { buckets, count, sum } = new Histogram().read();
    expect([count, sum]).toEqual([0, 0]);
    expect(buckets.every((bucket) => bucket.count === 0)).toBe(true);
  });

  it('counts what lies on a bound as below it', () => {
    const histogram = new Histogram();
    histogram.observe(0.005);
    const found = histogram.read().buckets.filter(({ count }) => count === 1);
    expect(found[0]?.bound).toBe(0.005);
  });

  it('tells of each bound how many lay below it, of whatever was observed', () => {
    const seconds = fc.oneof(
      fc.double({ min: 0, max: 20, noNaN: true }),
      fc.constantFrom(0, 0.0005, 0.1, 10, 1e9),
    );
    fc.assert(
      fc.property(fc.array(seconds), (observed) => {
        const histogram = new Histogram();
        for (const each of observed) histogram.observe(each);
        const { buckets, count, sum } = histogram.read();
        for (const { bound, count: below } of buckets) {
          expect(below).toBe(observed.filter((each) => each <= bound).length);
        }
        expect(count).toBe(observed.length);
        expect(sum).toBe(observed.reduce((total, each) => total + each, 0));
      }),
    );
  });

  it('tells in seconds what was measured in milliseconds', () => {
    const histogram = new Histogram();
    histogram.observeSince(performance.now() - 2_000);
    expect(histogram.read().sum).toBeCloseTo(2, 1);
  });
});
