import type { ServiceErrorCode, StreamGap } from '@sluice/protocol';
import type { Filter } from './filter.js';

/**
 * What the hub moves forward: one open stream, a cursor that walks the log.
 * The writable fields belong to the hub; the stream only carries them, so that a stream costs one object.
 */
export interface Follower {
  readonly workspace: string;
  /** When its token ends, in seconds since 1970. */
  readonly expiresAt: number;
  /** When it is told that its token ends soon, in ms since 1970. */
  readonly warnAt: number;

  /** What it asked for and may see; once it has joined a group, the one object that all members share. */
  filter: Filter;
  /** Offset up to which everything that passes the filter has been written. */
  cursor: number;
  /** Where it stands among the members of its group; -1 while it is not among them. */
  position: number;
  /** The byte count of its group at its cursor; infinite until it is a member for the first time. */
  mark: number;
  /** Since when (ms) it has been behind the others of its group; 0 while it is not. */
  laggingSince: number;
  /** Who is told, whatever the write was; `null` until the hub has taken it in. */
  host: FollowerHost | null;

  /** Since when (ms) bytes wait because the socket takes no more; 0 while none do. It is passed over meanwhile. */
  readonly blockedSince: number;
  /** Bytes handed over that the socket has not taken yet. */
  readonly waitingBytes: number;
  readonly isClosed: boolean;
  /** Why the service ended it; `null` where it did not. */
  readonly endCode: ServiceErrorCode | null;

  /** Hands over whole frames. Not to be called while it is blocked. @param events how many of them are events */
  write(frames: Buffer, events?: number): void;
  /** Resolves when the socket has taken everything, or the stream is closed. */
  drained(): Promise<void>;
  /** Says why, and ends the stream. */
  end(code: ServiceErrorCode, detail?: string): void;
  /** Tells that the token ends soon. */
  warn(): void;
  /**
   * Asks the client to move to another node. The stream goes on meanwhile.
   * @param retryMs what an EventSource shall wait once the stream has ended; by default what it was told at the start
   */
  drain(reconnectInMs: number, retryMs?: number): void;
  /** Tells of history that is gone. */
  tellGap(gap: Gap): void;
}

/** Who must know when a socket takes no more, and when it does again. */
export interface FollowerHost {
  onBlocked(follower: Follower): void;
  onDrained(follower: Follower): void;
}

/** `StreamGap` with offsets in place of cursors. */
export interface Gap {
  readonly from: string;
  /** The epoch of the log as it is now. */
  readonly epoch: string;
  /** The offset at which the stream goes on. */
  readonly resumesAt: number;
  readonly oldest: number;
  readonly reason: StreamGap['reason'];
}
