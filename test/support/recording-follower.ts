import type { ServiceErrorCode } from '@sluice/protocol';
import { createFilter, type Filter } from '../../server/hub/filter.js';
import type { Follower, FollowerHost, Gap } from '../../server/hub/follower.js';
import type { Hub } from '../../server/hub/hub.js';
import type { Start } from '../../server/hub/start.js';

export const EVERYTHING = createFilter({ topics: null, types: null, permitted: null });

export interface RecordingOptions {
  readonly workspace?: string;
  readonly filter?: Filter;
  /** Seconds since 1970. Default: in an hour. */
  readonly expiresAt?: number;
  /** Milliseconds since 1970. Default: in an hour. */
  readonly warnAt?: number;
  /** Whether its socket takes nothing from the first write on. */
  readonly isStuck?: boolean;
}

/** A stream without a socket: it records what the hub does with it, and is stuck and freed at the test's word. */
export class RecordingFollower implements Follower {
  readonly workspace: string;
  filter: Filter;
  readonly expiresAt: number;
  readonly warnAt: number;
  cursor: number;
  position = -1;
  mark = Number.POSITIVE_INFINITY;
  laggingSince = 0;
  host: FollowerHost | null = null;
  blockedSince = 0;
  waitingBytes = 0;
  isClosed = false;

  /** Offsets of the events, in the order in which they came. */
  readonly offsets: number[] = [];
  /** Offsets that came without an event. */
  readonly pings: number[] = [];
  readonly gaps: Gap[] = [];
  readonly drainedWith: number[] = [];
  /** When it was told that its token ends soon. */
  readonly warnedAt: number[] = [];
  endedWith: ServiceErrorCode | null = null;
  writes = 0;
  /** Called within each write, so in the middle of a pass. */
  onWrite: () => void = () => {};

  get endCode(): ServiceErrorCode | null {
    return this.endedWith;
  }

  private isStuck: boolean;
  private waiting: (() => void)[] = [];
  private watchers: (() => void)[] = [];

  constructor(
    private readonly hub: Hub,
    readonly start: Start,
    options: RecordingOptions = {},
  ) {
    this.workspace = options.workspace ?? 'acme';
    this.filter = options.filter ?? EVERYTHING;
    this.expiresAt = options.expiresAt ?? Date.now() / 1_000 + 3_600;
    this.warnAt = options.warnAt ?? Date.now() + 3_600_000;
    this.cursor = start.offset;
    this.isStuck = options.isStuck ?? false;
    if (start.gap !== null) this.tellGap(start.gap);
  }

  write(frames: Buffer): void {
    if (this.isClosed) throw new Error('written to after its end');
    if (this.blockedSince > 0) throw new Error('written to while blocked');
    this.writes++;
    this.record(frames.toString());
    if (this.isStuck) {
      this.blockedSince = Date.now();
      this.waitingBytes = frames.length;
      this.host?.onBlocked(this);
    }
    this.onWrite();
    this.changed();
  }

  /** The socket takes everything, and all that comes later. */
  free(): void {
    const wasBlocked = this.blockedSince > 0;
    this.isStuck = false;
    this.blockedSince = 0;
    this.waitingBytes = 0;
    for (const resolve of this.waiting.splice(0)) resolve();
    if (wasBlocked && !this.isClosed) this.host?.onDrained(this);
  }

  /** The socket takes nothing from the next write on. */
  stick(): void {
    this.isStuck = true;
  }

  drained(): Promise<void> {
    if (this.blockedSince === 0 || this.isClosed) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  tellGap(gap: Gap): void {
    this.gaps.push(gap);
    this.changed();
  }

  warn(): void {
    this.warnedAt.push(Date.now());
    if (this.blockedSince === 0) this.write(Buffer.from(': warned\n\n'));
    this.changed();
  }

  drain(reconnectInMs: number): void {
    this.drainedWith.push(reconnectInMs);
    this.changed();
  }

  end(code: ServiceErrorCode): void {
    if (this.isClosed) return;
    this.endedWith = code;
    this.close();
  }

  /** The client goes. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.free();
    this.hub.remove(this);
    this.changed();
  }

  /** Resolves when `condition` holds, which is looked at after each thing that happens to this stream. */
  async until(condition: (self: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.watchers.push(resolve));
  }

  private record(text: string): void {
    for (const frame of text.split('\n\n').filter((part) => part !== '')) {
      const offset = Number(/^id: [0-9A-Z]{8}-(\d+)$/m.exec(frame)?.[1] ?? Number.NaN);
      if (/^data: /m.test(frame)) this.offsets.push(offset);
      else this.pings.push(offset);
    }
  }

  private changed(): void {
    for (const resolve of this.watchers.splice(0)) resolve();
  }
}
