import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { DEADLINE_STEP_MS, Deadlines } from './deadlines.js';

const START = 1_700_000_000_000;

let deadlines: Deadlines<string>;
beforeEach(() => {
  jest.useFakeTimers({ now: START });
  deadlines = new Deadlines();
});
afterEach(() => {
  jest.useRealTimers();
});

/** The clock says `time`, and is looked at. */
function lookAt(time: number): string[] {
  jest.setSystemTime(time);
  return deadlines.takeDue(time);
}

describe('deadlines', () => {
  it('are not due before their time, and due a step after it at the latest', () => {
    deadlines.add('a', START + 1_000);
    expect(lookAt(START + 999)).toEqual([]);
    expect(lookAt(START + 1_000 + DEADLINE_STEP_MS)).toEqual(['a']);
    expect(lookAt(START + 10_000)).toEqual([]);
  });

  it('are found however long nobody looked', () => {
    deadlines.add('a', START + 1_000);
    deadlines.add('b', START + 3_600_000);
    deadlines.add('c', START + 7_200_000);
    expect(lookAt(START + 3_600_500)).toEqual(['a', 'b']);
  });

  it('may be by any clock, also one that has just begun', () => {
    expect(lookAt(1)).toEqual([]);
    deadlines.add('a', 1_000);
    expect(lookAt(999)).toEqual([]);
    expect(lookAt(1_000)).toEqual(['a']);
  });

  it('can be taken back, one of several at the same time', () => {
    deadlines.add('a', START + 1_000);
    deadlines.add('b', START + 1_000);
    deadlines.remove('a', START + 1_000);
    deadlines.remove('c', START + 1_000);
    deadlines.remove('b', START + 9_000);
    expect(lookAt(START + 2_000)).toEqual(['b']);
  });

  it('wait when the clock is set back, and are due when it says so', () => {
    deadlines.add('a', START + 1_000);
    expect(lookAt(START - 3_600_000)).toEqual([]);
    deadlines.add('b', START - 3_599_000);
    expect(lookAt(START - 3_598_000)).toEqual(['b']);
    expect(lookAt(START + 1_250)).toEqual(['a']);
  });

  it('are due when the clock is set forward beyond them', () => {
    deadlines.add('a', START + 1_000);
    expect(lookAt(START + 3_600_000)).toEqual(['a']);
  });

  it('are found where the clock is set back and comes forward between two looks', () => {
    deadlines.takeDue(START);
    jest.setSystemTime(START - 1_000);
    deadlines.add('a', START - 500);
    expect(lookAt(START + DEADLINE_STEP_MS)).toEqual(['a']);
  });

  it('are each due once and in time, whatever the clock does', () => {
    const step = fc.record({
      jump: fc.oneof(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: -20_000, max: 20_000 })),
      ahead: fc.array(fc.integer({ min: 1, max: 5_000 }), { maxLength: 3 }),
      looks: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        jest.setSystemTime(START);
        const tested = new Deadlines<number>();
        const waiting = new Map<number, number>();
        let now = START;
        let added = 0;
        for (const { jump, ahead, looks } of steps) {
          now += jump;
          jest.setSystemTime(now);
          for (const milliseconds of ahead) {
            waiting.set(added, now + milliseconds);
            tested.add(added++, now + milliseconds);
          }
          if (!looks) continue;
          for (const item of tested.takeDue(now)) {
            expect(waiting.get(item)).toBeLessThanOrEqual(now);
            waiting.delete(item);
          }
          for (const time of waiting.values()) {
            expect(time).toBeGreaterThan(now - DEADLINE_STEP_MS);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
