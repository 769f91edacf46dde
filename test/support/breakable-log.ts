import { encodeFrame, formatCursor } from '@sluice/protocol';
import { SluiceError } from '../../server/errors.js';
import type {
  Appended,
  EventLog,
  Excerpt,
  Following,
  LogEntry,
  LogExtent,
  LogFollower,
  LogStats,
  NewEntry,
  ReadLimit,
} from '../../server/log/event-log.js';

/** Distance from the offset before a seam to the seam. */
const SEAM = 1_000;

/**
 * A log in memory whose server can be lost: what the hub makes of a break does not depend on what keeps the log, and
 * Redis cannot be made to break at every point of a test's choice.
 */
export class BreakableLog implements EventLog {
  isAvailable = true;
  /** How often it was read. */
  reads = 0;
  readonly #followers = new Set<LogFollower>();
  #entries: LogEntry[] = [];
  #epoch = 1;
  #head = 0;
  #oldest = 0;

  get epoch(): string {
    return String(this.#epoch).padStart(8, '0');
  }

  get here(): LogExtent {
    return { epoch: this.epoch, head: this.#head, oldest: this.#oldest };
  }

  /** Everything that can be read. */
  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  async append(_workspace: string, events: readonly NewEntry[]): Promise<Appended> {
    const first = this.#head + 1;
    const entries = events.map(({ topic, type, json }, index) => {
      const offset = first + index;
      const frame = Buffer.from(encodeFrame({ id: formatCursor(this.epoch, offset), data: json }));
      return { offset, previous: offset - 1, topic, type, frame };
    });
    this.#add(entries);
    for (const follower of this.#followers) follower.onEntries(entries);
    return { epoch: this.epoch, first, count: entries.length, repeated: null };
  }

  async read(
    _workspace: string,
    { epoch, offset }: { epoch: string; offset: number },
    { maxEntries, maxBytes }: ReadLimit,
  ): Promise<Excerpt> {
    this.reads++;
    await new Promise(setImmediate);
    if (epoch !== this.epoch) throw new SluiceError('UNAVAILABLE');
    const found: LogEntry[] = [];
    let bytes = 0;
    for (const entry of this.#entries) {
      if (entry.offset <= offset) continue;
      if (found.length >= maxEntries || bytes >= maxBytes) break;
      found.push(entry);
      bytes += entry.frame.length;
    }
    return { entries: found, packed: null };
  }

  async extent(): Promise<LogExtent> {
    const { here } = this;
    await new Promise(setImmediate);
    return here;
  }

  async follow(_workspace: string, follower: LogFollower): Promise<Following> {
    this.#followers.add(follower);
    return { extent: this.here, unfollow: () => this.#followers.delete(follower) };
  }

  async stats(): Promise<LogStats> {
    throw new SluiceError('UNAVAILABLE');
  }

  async close(): Promise<void> {}

  /** All is gone, and whoever keeps the log begins anew. */
  renew(): void {
    this.#epoch++;
    this.#entries = [];
    this.#head = 0;
    this.#oldest = 0;
    this.#tellOfBreak();
  }

  /** Retention takes all but the newest, before anybody was told of `unheard`, which were appended meanwhile. */
  trimUnheard(unheard: readonly NewEntry[], kept: number): void {
    const followers = [...this.#followers];
    this.#followers.clear();
    void this.append('', unheard);
    for (const follower of followers) this.#followers.add(follower);
    this.#entries = this.#entries.slice(this.#entries.length - kept);
    this.#oldest = (this.#entries[0]?.offset ?? this.#head + 1) - 1;
    this.#tellOfBreak();
  }

  /** Another server takes over, without the newest `lost` entries; `isDurable`: none of them was acknowledged. */
  failOver(lost: number, isDurable: boolean): void {
    this.#entries = this.#entries.slice(0, this.#entries.length - lost);
    const head = Math.max(this.#entries.at(-1)?.offset ?? this.#oldest, this.#oldest);
    const offset = this.#head + SEAM;
    const previous = isDurable ? head : offset - 1;
    const seam = { offset, previous, topic: '', type: '', frame: Buffer.alloc(0) };
    this.#add([seam]);
    if (isDurable) for (const follower of this.#followers) follower.onEntries([seam]);
    else this.#tellOfBreak();
  }

  #add(entries: readonly LogEntry[]): void {
    this.#entries.push(...entries);
    this.#head = entries.at(-1)?.offset ?? this.#head;
  }

  #tellOfBreak(): void {
    for (const follower of this.#followers) follower.onBreak(this.here);
  }
}
