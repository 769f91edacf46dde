import type { StreamLimits } from '../config.js';
import type { Follower } from './follower.js';
import type { Group } from './group.js';

/** How long a stream must have been behind before the bytes that wait for it are held against it. */
const LAG_GRACE_MS = 1_000;

/** Streams that have fallen behind the others of their group: what waits for them, and when it is too much. */
export class Laggards {
  private readonly watched = new Set<Follower>();

  constructor(
    private readonly limits: StreamLimits,
    private readonly groupOf: (follower: Follower) => Group | undefined,
  ) {}

  watch(follower: Follower): void {
    if (follower.laggingSince === 0) follower.laggingSince = Date.now();
    this.watched.add(follower);
  }

  forget(follower: Follower): void {
    this.watched.delete(follower);
  }

  /** A copy, which stays as it is while they come and go. */
  list(): Follower[] {
    return [...this.watched];
  }

  /** Lets go of a stream that has caught up, and ends one that is too far or too long behind. */
  judge(follower: Follower, now: number): void {
    if (this.hasCaughtUp(follower)) {
      follower.laggingSince = 0;
      this.watched.delete(follower);
      return;
    }
    const reason = this.reasonToCut(follower, now);
    if (reason !== null) follower.end('SLOW_CONSUMER', reason);
  }

  /** Those that can be told of without asking each stream: members that are behind, those whose socket takes no more, and what waits there. */
  read(): { readonly behind: number; readonly blocked: number; readonly queuedBytes: number } {
    let [behind, blocked, queuedBytes] = [0, 0, 0];
    for (const follower of this.watched) {
      if (follower.position >= 0 && !this.hasCaughtUp(follower)) behind++;
      if (follower.blockedSince === 0) continue;
      blocked++;
      queuedBytes += follower.waitingBytes;
    }
    return { behind, blocked, queuedBytes };
  }

  private hasCaughtUp(follower: Follower): boolean {
    if (follower.blockedSince > 0) return false;
    const group = this.groupOf(follower);
    if (group === undefined) return true;
    return follower.position >= 0 && group.isCurrent(follower.cursor);
  }

  private reasonToCut(follower: Follower, now: number): string | null {
    const { blockedSince, laggingSince } = follower;
    if (blockedSince > 0 && now - blockedSince >= this.limits.stallMs) {
      return 'Nothing was read from this stream for too long.';
    }
    const waiting = (this.groupOf(follower)?.bytes ?? 0) - follower.mark + follower.waitingBytes;
    if (waiting > this.limits.maxBacklogBytes && now - laggingSince >= LAG_GRACE_MS) {
      return 'More waited for this stream than its limit allows.';
    }
    return null;
  }
}
