import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { LogEntry } from '../log/event-log.js';
import { Tail } from './tail.js';

const MAX_ENTRIES = 2_048;
const MAX_BYTES = 524_288;

function entry(offset: number, bytes = 1): LogEntry {
  return {
    offset,
    previous: offset - 1,
    topic: 'orders',
    type: 'changed',
    frame: Buffer.alloc(bytes),
  };
}

function bytesOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { frame }) => sum + frame.length, 0);
}

describe('a tail', () => {
  it('lacks nothing from where it starts, and all before', () => {
    const tail = new Tail(7);
    expect([tail.end, tail.bytes, tail.covers(7), tail.covers(6)]).toEqual([7, 0, true, false]);
    tail.push(entry(8, 10));
    tail.push(entry(12, 5));
    expect([tail.end, tail.bytes, tail.covers(7), tail.covers(6)]).toEqual([12, 15, true, false]);
    expect([7, 8, 11, 12, 13].map((cursor) => tail.markAt(cursor))).toEqual([0, 10, 10, 15, 15]);
  });

  it('is bounded in number, and keeps the newest', () => {
    const tail = new Tail(0);
    for (let offset = 1; offset <= 10_000; offset++) {
      tail.push(entry(offset));
      expect(tail.entries.length).toBeLessThanOrEqual(MAX_ENTRIES);
      expect(tail.end).toBe(offset);
    }
    expect(tail.entries.length).toBeGreaterThanOrEqual(MAX_ENTRIES / 2);
    expect(tail.covers(0)).toBe(false);
  });

  it('is bounded in bytes, and keeps the newest however large it is', () => {
    const tail = new Tail(0);
    for (let offset = 1; offset <= 500; offset++) {
      tail.push(entry(offset, 10_000));
      expect(bytesOf(tail.entries)).toBeLessThanOrEqual(MAX_BYTES);
    }
    expect(bytesOf(tail.entries)).toBeGreaterThan(MAX_BYTES / 4);
    tail.push(entry(501, 2_000_000));
    expect(tail.entries.map(({ offset }) => offset)).toEqual([501]);
    expect(tail.covers(500)).toBe(true);
    tail.push(entry(502, 1));
    expect(tail.end).toBe(502);
    expect(bytesOf(tail.entries)).toBeLessThanOrEqual(2_000_001);
  });

  it('lacks nothing behind the newest entry when it was cleared, and counts on', () => {
    const tail = new Tail(0);
    tail.push(entry(3, 10));
    tail.clear();
    expect([tail.end, tail.bytes, tail.covers(3), tail.covers(2)]).toEqual([3, 10, true, false]);
    expect(tail.markAt(3)).toBe(10);
    tail.push(entry(5, 4));
    expect([tail.markAt(3), tail.markAt(5)]).toEqual([10, 14]);
  });

  it('gives each reader that it covers all that the reader lacks', () => {
    const push = fc.record({
      gap: fc.integer({ min: 1, max: 3 }),
      bytes: fc.constantFrom(1, 300, 90_000, 400_000),
    });
    const steps = fc.array(
      fc.oneof({ weight: 30, arbitrary: push }, fc.constant('clear' as const)),
      {
        maxLength: 120,
      },
    );
    fc.assert(
      fc.property(fc.nat({ max: 50 }), steps, (start, actions) => {
        const tail = new Tail(start);
        const all: LogEntry[] = [];
        let head = start;
        for (const action of actions) {
          if (action === 'clear') {
            tail.clear();
            continue;
          }
          head += action.gap;
          all.push(entry(head, action.bytes));
          tail.push(all.at(-1) as LogEntry);
        }
        expect(tail.end).toBe(head);
        expect(tail.bytes).toBe(bytesOf(all));
        expect(tail.covers(head)).toBe(true);
        for (let cursor = start; cursor <= head; cursor++) {
          if (!tail.covers(cursor)) continue;
          const lacked = all.filter(({ offset }) => offset > cursor);
          expect(tail.entries.filter(({ offset }) => offset > cursor)).toEqual(lacked);
          expect(tail.markAt(cursor)).toBe(bytesOf(all) - bytesOf(lacked));
        }
      }),
      { numRuns: 200 },
    );
  });
});
