import type { FoundChunk } from './chunk-reader.js';
import type { WorkspaceState } from './entry-codec.js';

/** What of a workspace's history may stay. */
export interface Bounds {
  readonly events: number;
  readonly bytes: number;
  /** In ms since 1970. */
  readonly appendedSince: number;
}

export function isOver({ head, oldest, bytes, oldestAt }: WorkspaceState, bounds: Bounds): boolean {
  const events = head - oldest;
  if (events === 0) return false;
  return events > bounds.events || bytes > bounds.bytes || oldestAt < bounds.appendedSince;
}

/**
 * Takes entries from the front of a workspace's history until it keeps its bounds. Entries go one by one; the chunk goes
 * with the last of its entries, and so does what it holds beside frames. So a store has, beyond what is counted, the
 * frames of one chunk a workspace at the most.
 */
export class Cut {
  /** What is left. */
  state: WorkspaceState;
  /** Keys of the chunks that go. */
  readonly chunks: Buffer[] = [];
  /** Of the idempotency records that go. */
  readonly hashes: Buffer[] = [];

  /** @param mayGo how many entries, at the most */
  constructor(
    before: WorkspaceState,
    private readonly bounds: Bounds,
    private mayGo: number,
  ) {
    this.state = before;
  }

  /** Takes what must go of the oldest chunk, and says whether that was all of it. */
  goesThrough({ key, first, last, chunk }: FoundChunk): boolean {
    const { appendedAt, ends, tableBytes } = chunk;
    const { head, oldest: before } = this.state;
    let { oldest, bytes } = this.state;
    while (oldest < last && this.mayGo > 0) {
      if (!isOver({ head, oldest, bytes, oldestAt: appendedAt }, this.bounds)) break;
      const index = oldest + 1 - first;
      bytes -= (ends[index] as number) - (ends[index - 1] ?? 0);
      oldest++;
      this.mayGo--;
    }
    const isGone = oldest === last;
    if (isGone) {
      bytes -= tableBytes;
      this.chunks.push(key);
    }
    // A chunk that is gone tells nothing of the next one's age, which is looked at next.
    this.state = { head, oldest, bytes, oldestAt: isGone ? 0 : appendedAt };
    if (oldest > before) this.takeHashes(chunk, first, before, oldest);
    return isGone;
  }

  private takeHashes({ hashes }: FoundChunk['chunk'], first: number, from: number, to: number) {
    for (const { index, hash } of hashes()) {
      const offset = first + index;
      if (offset > from && offset <= to) this.hashes.push(hash);
    }
  }
}
