import { Deadlines } from '../deadlines.js';
import { spreadRetryMs } from '../errors.js';
import type { Follower } from './follower.js';

/** How long a stream that was told to move goes on beyond its time, so that the next one stands before it ends. */
const MAX_GRACE_MS = 5_000;

/** How a node goes down. */
export interface Drain {
  /** The time over which clients come back. */
  readonly windowMs: number;
  /** Whether there are other nodes that they can move to while this one still serves them. */
  readonly canMove: boolean;
}

/** How streams leave a node that goes down. */
export class Departures {
  /** Those that were asked to move, by a clock that does not jump. */
  private readonly leaving = new Deadlines<Follower>();

  /** @param retryMs mean delay before a stream that was ended comes back. */
  constructor(private readonly retryMs: number) {}

  /** Asks a client to move at a time of its own; where it cannot, sends it away to come back at such a time. */
  begin(follower: Follower, drain: Drain): void {
    const share = Math.floor(Math.random() * drain.windowMs);
    const stayMs = graceMs(drain);
    if (stayMs === 0) {
      // Never at once: whoever takes this node's place needs a moment too.
      const reconnectInMs = spreadRetryMs(this.retryMs) + share;
      follower.drain(reconnectInMs, reconnectInMs);
      endDrained(follower);
      return;
    }
    follower.drain(share);
    this.leaving.add(follower, performance.now() + share + stayMs);
  }

  /** Takes out those whose client has not moved in time. */
  takeDue(): Follower[] {
    return this.leaving.takeDue(performance.now());
  }
}

export function endDrained(follower: Follower): void {
  follower.end('UNAVAILABLE', 'This node is going down.');
}

/** How long a stream may stay at the most. */
export function longestStayMs(drain: Drain): number {
  return drain.canMove ? drain.windowMs + graceMs(drain) : 0;
}

/** How long a stream goes on beyond the time at which its client was asked to move; never longer than the window. */
function graceMs({ windowMs, canMove }: Drain): number {
  return canMove ? Math.min(MAX_GRACE_MS, windowMs) : 0;
}
