/** An event on its way into the log. */
export interface NewEntry {
  readonly topic: string;
  readonly type: string;
  /** The event as JSON on one line. */
  readonly json: string;
}

/** An event as the log holds it, framed for the wire. */
export interface LogEntry {
  /** Grows by one with each event of the workspace; the first is 1. */
  readonly offset: number;
  readonly topic: string;
  readonly type: string;
  /** The whole SSE frame, its `id:` included. */
  readonly frame: Buffer;
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
  /** The read stops behind the first entry that reaches this; one entry is always read. */
  readonly maxBytes: number;
}

export type Unfollow = () => void;

/**
 * The ordered history of each workspace.
 *
 * Every adapter passes the same suite (test/contracts/event-log.contract.ts).
 */
export interface EventLog {
  /**
   * Appends a batch: all of it, in a row, or nothing. Resolves when the batch is durable.
   * @throws SluiceError UNAVAILABLE when the log cannot be written (nothing of the batch will be seen),
   *   INVALID_REQUEST when the idempotency key was used for something else.
   */
  append(
    workspace: string,
    events: readonly NewEntry[],
    idempotency?: Idempotency,
  ): Promise<Appended>;

  /**
   * Reads what follows `after`, in order and in a row. Where that is gone, the first entry returned has a higher
   * offset than `after + 1`.
   * @throws SluiceError UNAVAILABLE when the log cannot be read.
   */
  read(workspace: string, after: number, limit: ReadLimit): Promise<readonly LogEntry[]>;

  /** @throws SluiceError UNAVAILABLE when the log cannot be read. */
  extent(workspace: string): Promise<LogExtent>;

  /**
   * Calls `follower` with each batch that becomes durable after the promise has resolved, in order and without a
   * hole. Batches that became durable shortly before may be among them.
   */
  follow(workspace: string, follower: (entries: readonly LogEntry[]) => void): Promise<Unfollow>;

  /** Finishes the appends under way, then lets go of the store. */
  close(): Promise<void>;
}
