import { describe, expect, it } from '@jest/globals';
import { Checker } from './checker.js';
import { Ledger, type Publication } from './ledger.js';

const EPOCH = '01JD3Z8Q';
const at = (offset: number, epoch = EPOCH): string => `${epoch}-${offset}`;
const event = (n: number, topic = 'orders', workspace = 'acme'): Publication => ({
  workspace,
  topic,
  n,
});

/** Five events of the topic `orders` that were taken, at the cursors 1 to 5. */
function fiveTaken(): Ledger {
  const ledger = new Ledger();
  for (let n = 1; n <= 5; n++) ledger.take(event(n), at(n));
  return ledger;
}

function checker(start = at(0)): Checker {
  const made = new Checker({ workspace: 'acme', wants: (topic) => topic === 'orders' });
  made.onStart(start);
  return made;
}

const FINE = {
  delivered: 5,
  lost: 0,
  missing: 0,
  doubled: 0,
  disordered: 0,
  foreign: 0,
  gaps: 0,
};

describe('the checker of the soak', () => {
  it('finds nothing where everything came once and in order', () => {
    const one = checker();
    for (let n = 1; n <= 5; n++) one.onEvent(event(n), at(n));
    expect(one.verdict(fiveTaken())).toEqual(FINE);
  });

  it('counts a lost event', () => {
    const one = checker();
    for (const n of [1, 2, 4, 5]) one.onEvent(event(n), at(n));
    expect(one.verdict(fiveTaken())).toEqual({ ...FINE, delivered: 4, lost: 1 });
    expect(one.awaits({ ...event(3), cursor: at(3) })).toBe(true);
  });

  it('counts what was published before the start as not due', () => {
    const one = checker(at(3));
    for (const n of [4, 5]) one.onEvent(event(n), at(n));
    expect(one.verdict(fiveTaken())).toEqual({ ...FINE, delivered: 2 });
  });

  it('counts as missing, and not as lost, what a gap told of', () => {
    const one = checker();
    one.onEvent(event(1), at(1));
    one.onGap(at(1), at(4));
    one.onEvent(event(5), at(5));
    const expected = { ...FINE, delivered: 2, missing: 3, gaps: 1 };
    expect(one.verdict(fiveTaken())).toEqual(expected);
  });

  it('counts as lost what lies beside the gap that was told of', () => {
    const one = checker();
    one.onEvent(event(1), at(1));
    one.onGap(at(1), at(3));
    one.onEvent(event(5), at(5));
    const expected = { ...FINE, delivered: 2, missing: 2, lost: 1, gaps: 1 };
    expect(one.verdict(fiveTaken())).toEqual(expected);
  });

  it('counts a doubled event', () => {
    const one = checker();
    for (const n of [1, 2, 2, 3, 4, 5]) one.onEvent(event(n), at(n));
    expect(one.verdict(fiveTaken())).toEqual({ ...FINE, delivered: 6, doubled: 1 });
  });

  it('counts an event that comes again at another cursor as doubled', () => {
    const one = checker();
    for (let n = 1; n <= 5; n++) one.onEvent(event(n), at(n));
    one.onEvent(event(2), at(6));
    expect(one.verdict(fiveTaken())).toEqual({ ...FINE, delivered: 6, doubled: 1 });
  });

  it('counts an event out of order', () => {
    const one = checker();
    for (const n of [1, 3, 2, 4, 5]) one.onEvent(event(n), at(n));
    expect(one.verdict(fiveTaken())).toEqual({ ...FINE, disordered: 1 });
  });

  it('counts an event whose cursor the stream was past, also where it was past it without an event', () => {
    const ledger = fiveTaken();
    ledger.giveUp(event(6));
    const one = checker();
    for (let n = 1; n <= 5; n++) one.onEvent(event(n), at(n));
    one.onCursor(at(9));
    one.onEvent(event(6), at(8));
    expect(one.verdict(ledger)).toEqual({ ...FINE, delivered: 6, disordered: 1 });
  });

  it('counts an event at another cursor than its publisher was told', () => {
    const one = checker();
    for (let n = 1; n <= 4; n++) one.onEvent(event(n), at(n));
    one.onEvent(event(5), at(6));
    expect(one.verdict(fiveTaken())).toEqual({ ...FINE, disordered: 1 });
  });

  it('counts events of another workspace and of another topic', () => {
    const one = checker();
    for (let n = 1; n <= 5; n++) one.onEvent(event(n), at(n));
    one.onEvent(event(1, 'orders', 'other'), at(6));
    one.onEvent(event(1, 'users'), at(7));
    expect(one.verdict(fiveTaken())).toEqual({ ...FINE, delivered: 7, foreign: 2 });
  });

  it('lets an event that nobody answered for come or not come, once', () => {
    const ledger = fiveTaken();
    ledger.giveUp(event(6));
    const without = checker();
    for (let n = 1; n <= 5; n++) without.onEvent(event(n), at(n));
    expect(without.verdict(ledger)).toEqual(FINE);
    const late = checker();
    ledger.take(event(7), at(7));
    for (const n of [1, 2, 3, 4, 5, 7, 6]) late.onEvent(event(n), at(n === 6 ? 8 : n));
    expect(late.verdict(ledger)).toEqual({ ...FINE, delivered: 7 });
    late.onEvent(event(6), at(9));
    expect(late.verdict(ledger)).toEqual({ ...FINE, delivered: 8, doubled: 1 });
  });
});
