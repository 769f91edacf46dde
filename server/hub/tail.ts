import type { LogEntry } from '../log/event-log.js';
import { indexAfter } from './page.js';

const MAX_ENTRIES = 1_024;
const MAX_BYTES = 262_144;

/** The newest entries of something ordered, in memory, bounded by count and bytes. */
export class Tail {
  entries: LogEntry[] = [];
  /** Bytes of all entries that ever came. */
  bytes = 0;
  /** `ends[i]` is the byte count behind `entries[i]`. */
  private ends: number[] = [];
  /** The byte count before the first entry. */
  private base = 0;

  /** @param start offset behind which nothing is missing. */
  constructor(private start: number) {}

  /** Offset of the newest entry. */
  get end(): number {
    return this.entries.at(-1)?.offset ?? this.start;
  }

  /** Bytes of the entries that are in memory. */
  get keptBytes(): number {
    return this.bytes - this.base;
  }

  /** Whether a reader at `cursor` finds all it lacks here. */
  covers(cursor: number): boolean {
    return cursor >= this.start;
  }

  push(entry: LogEntry): void {
    this.bytes += entry.frame.length;
    this.entries.push(entry);
    this.ends.push(this.bytes);
    // In runs of the half, since taking from the front of an array costs its length.
    if (this.entries.length > 2 * MAX_ENTRIES || this.bytes - this.base > 2 * MAX_BYTES) {
      this.dropOldest();
    }
  }

  /** The byte count at a cursor that is covered. */
  markAt(cursor: number): number {
    return this.ends[indexAfter(this.entries, cursor) - 1] ?? this.base;
  }

  /** Drops everything; nothing is missing behind the newest entry. */
  clear(): void {
    this.start = this.end;
    this.base = this.bytes;
    this.entries = [];
    this.ends = [];
  }

  private dropOldest(): void {
    let dropped = Math.max(0, this.entries.length - MAX_ENTRIES);
    while (this.bytes - (this.ends[dropped] as number) > MAX_BYTES) dropped++;
    if (dropped === 0) return;
    this.start = (this.entries[dropped - 1] as LogEntry).offset;
    this.base = this.ends[dropped - 1] as number;
    this.entries = this.entries.slice(dropped);
    this.ends = this.ends.slice(dropped);
  }
}
