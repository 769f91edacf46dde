import { isSeam, type LogEntry, type PackedFrames } from '../log/event-log.js';
import { type Filter, passes } from './filter.js';
import type { Gap } from './follower.js';

/** Most bytes written to a socket at once, and so the most that a slow socket holds in memory. */
export const MAX_WRITE_BYTES = 65_536;

/** A stretch of history as one stream gets it: what passes its filter, joined. */
export interface Page {
  readonly frames: Buffer;
  /** How many events that is. */
  readonly events: number;
  /** The cursor behind the page. */
  readonly end: number;
  /** What is missing before the page. */
  readonly gap: Gap | null;
}

/** Joins what passes `filter` of `entries` from index `from` on, up to the most that is written at once. */
export function pageOf(entries: readonly LogEntry[], from: number, filter: Filter): Page {
  const frames: Buffer[] = [];
  let bytes = 0;
  let end = 0;
  for (let index = from; index < entries.length; index++) {
    const entry = entries[index] as LogEntry;
    if (!isSeam(entry) && passes(filter, entry)) {
      if (bytes > 0 && bytes + entry.frame.length > MAX_WRITE_BYTES) break;
      frames.push(entry.frame);
      bytes += entry.frame.length;
    }
    end = entry.offset;
  }
  const joined = frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames, bytes);
  return { frames: joined, events: frames.length, end, gap: null };
}

/**
 * Where a page of more than half a write ends, so that those who read on from different cursors soon read on from the
 * same one.
 */
export const ROUND = 64;

/** What follows `cursor`, which is not before the first of these frames, for those who get all: nothing is copied. */
export function pageOfAll({ previous, frames, ends }: PackedFrames, cursor: number): Page {
  const from = cursor - previous;
  const start = startOf(ends, from);
  const last = previous + ends.length;
  const round = last - (last % ROUND);
  const isLarge = 2 * (frames.length - start) > MAX_WRITE_BYTES;
  const end = isLarge && round > cursor ? round : last;
  return {
    frames: frames.subarray(start, startOf(ends, end - previous)),
    events: end - cursor,
    end,
    gap: null,
  };
}

function startOf(ends: readonly number[], index: number): number {
  return index === 0 ? 0 : (ends[index - 1] as number);
}

/** Index of the first entry behind `cursor`, in time that grows with the logarithm of their number. */
export function indexAfter(entries: readonly LogEntry[], cursor: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as LogEntry).offset > cursor) high = middle;
    else low = middle + 1;
  }
  return low;
}
