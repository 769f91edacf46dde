import type { ServiceErrorCode } from '@sluice/protocol';

/** Why a stream ended: what the service said, or that the client or the network did it. */
export type EndReason = ServiceErrorCode | 'client';

/** What the streams of this node are and were, and what is held in memory for them. */
export interface HubStats {
  /** Open, or about to be. */
  readonly streams: number;
  /** Since the start. */
  readonly opened: number;
  /** Since the start. */
  readonly ended: ReadonlyMap<EndReason, number>;
  /** Workspaces that have streams here. */
  readonly workspaces: number;
  /** The newest events of those workspaces. */
  readonly tailBytes: number;
  /** Older ones that were read for streams that came back. */
  readonly historyBytes: number;
  readonly maxHistoryBytes: number;
}

/** Counts streams as they come and go. */
export class StreamTally {
  readonly ended = new Map<EndReason, number>();
  private openedCount = 0;

  get opened(): number {
    return this.openedCount;
  }

  open(): void {
    this.openedCount++;
  }

  /** @param code `null` where the service did not end it. */
  end(code: ServiceErrorCode | null): void {
    const reason = code ?? 'client';
    this.ended.set(reason, (this.ended.get(reason) ?? 0) + 1);
  }
}
