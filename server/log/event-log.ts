import type { Cursor } from '@sluice/protocol';

/** An event on its way into the log. */
export interface NewEntry {
  readonly topic: string;
  readonly type: string;
  /** The event as JSON on one line. */
  readonly json: string;
}

/** An event as the log holds it, framed for the wire. */
export interface LogEntry {
  /** Grows with each event of the workspace; the first is 1. */
  readonly offset: number;
  /**
   * The offset behind which this entry follows without a hole: one less than its own, but behind a seam. A reader whose
   * cursor is lower has missed something.
   */
  readonly previous: number;
  readonly topic: string;
  readonly type: string;
  /** The whole SSE frame, its `id:` included. Empty for a seam, which is no event (see `isSeam`). */
  readonly frame: Buffer;
}

/**
 * Where the server that keeps the log became another one: a fail-over, a restart. Offsets that the former one may have given out
 * are passed over, so that no cursor ever stands for two events.
 */
export function isSeam({ frame }: LogEntry): boolean {
  return frame.length === 0;
}

/**
 * Whether a reader misses nothing before this entry, which is the first one behind its cursor. A cursor that lies in what a seam
 * passes over was given out by a server that is the primary no more, and what that one lacked is not known.
 */
export function followsOn(entry: LogEntry, cursor: number): boolean {
  return isSeam(entry) ? entry.previous === cursor : entry.previous <= cursor;
}

/** How far the history of a workspace reaches. */
export interface LogExtent {
  readonly epoch: string;
  /** The newest offset; 0 before the first event. */
  readonly head: number;
  /** The lowest offset from which a reader misses nothing: one less than that of the oldest event kept. */
  readonly oldest: number;
}

/** Makes a repeated append an answer instead of a second append. */
export interface Idempotency {
  readonly key: string;
  /** What was asked for, hashed: the same key for something else is refused. */
  readonly fingerprint: Buffer;
}

export interface Appended {
  readonly epoch: string;
  /** Offset of the first event of the batch; the others follow it one by one. */
  readonly first: number;
  readonly count: number;
  /** The entries of the earlier append with the same idempotency key that is answered for; `null` where there is none. */
  readonly repeated: readonly LogEntry[] | null;
}

export interface ReadLimit {
  readonly maxEntries: number;
  /** Of frames. The read ends with the entry that reaches this, or with the one before; one entry is always read. */
  readonly maxBytes: number;
}

/** What was read of a log: entries in order. */
export interface Excerpt {
  /** Made when they are first asked for; whoever wants nothing but the frames is better off without. */
  readonly entries: readonly LogEntry[];
  /** The same entries, where they follow on each other without a hole and their frames lie in one buffer; or `null`. */
  readonly packed: PackedFrames | null;
}

/** The frames of entries in a row, one behind the other. */
export interface PackedFrames {
  /** One less than the offset of the first entry. */
  readonly previous: number;
  readonly frames: Buffer;
  /** Where each frame ends. */
  readonly ends: readonly number[];
}

/** Who is told of what becomes durable in a workspace. */
export interface LogFollower {
  /** A batch, in order. The first entry follows without a hole on the last one told of, or on the head at the start. */
  onEntries(entries: readonly LogEntry[]): void;
  /**
   * There is no such going on: the log was made anew, has lost events, or has been trimmed before they could be told of.
   * What comes next follows on the head of this extent.
   */
  onBreak(extent: LogExtent): void;
}

/** A following that has begun. */
export interface Following {
  readonly extent: LogExtent;
  unfollow(): void;
}

/** What the log holds, of all workspaces. What an adapter cannot know cheaply is `null`. */
export interface LogStats {
  /** Workspaces that have or had events. `null` for Redis. */
  readonly workspaces: number | null;
  /** Events kept. `null` for Redis. */
  readonly events: number | null;
  /** The embedded log: pages in use on its disk. Redis: the memory of all its servers, whatever else lies in it. */
  readonly bytes: number;
  /** How large `bytes` may become before appends are refused; `null`: as large as the disk or the machine allows. */
  readonly capacity: number | null;
}

/**
 * The ordered history of each workspace.
 *
 * Every adapter passes the same suite (test/contracts/event-log.contract.ts).
 */
export interface EventLog {
  /** Whether followers are being told, as far as is known: `false` while the store of the log cannot be reached. */
  readonly isAvailable: boolean;

  /**
   * Appends a batch: all of it, in a row, or nothing. Resolves when the batch is durable.
   * @throws SluiceError UNAVAILABLE when the log cannot be written, or whether it was is not known: then the batch may be
   *   seen all the same, and only the same idempotency key makes it safe to append it again.
   *   INVALID_REQUEST when the idempotency key was used for something else.
   */
  append(
    workspace: string,
    events: readonly NewEntry[],
    idempotency?: Idempotency,
  ): Promise<Appended>;

  /**
   * Reads what follows a cursor, in order and in a row. Where that is gone, the first entry's `previous` is higher
   * than the cursor.
   * @throws SluiceError UNAVAILABLE when the log cannot be read, or has another epoch by now.
   */
  read(workspace: string, after: Cursor, limit: ReadLimit): Promise<Excerpt>;

  /** @throws SluiceError UNAVAILABLE when the log cannot be read. */
  extent(workspace: string): Promise<LogExtent>;

  /**
   * Tells `follower` of each batch that becomes durable after the promise has resolved. Batches that became durable
   * shortly before may be among them. Resolves with where it begins, or further on.
   * @throws SluiceError UNAVAILABLE when the log cannot be read.
   */
  follow(workspace: string, follower: LogFollower): Promise<Following>;

  /** Costs little, however much there is. @throws SluiceError UNAVAILABLE when the log cannot be read. */
  stats(): Promise<LogStats>;

  /** Finishes the appends under way, then lets go of the store. */
  close(): Promise<void>;
}
