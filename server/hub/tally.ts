import type { ServiceErrorCode, StreamGap } from '@sluice/protocol';
import type { HistogramReading } from '../histogram.js';
import type { Deliveries } from './deliveries.js';

/** Why a stream ended: what the service said, or that the client or the network did it. */
export type EndReason = ServiceErrorCode | 'client';

export type GapReason = StreamGap['reason'];

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
  /** Since the start: events handed to sockets, those of them that were replayed, and bytes with those of heartbeats. */
  readonly delivered: number;
  readonly replayed: number;
  readonly writtenBytes: number;
  /** Bytes that wait because sockets take no more, of so many streams. */
  readonly queuedBytes: number;
  readonly blocked: number;
  /** Streams that do not stand at the head. */
  readonly lagging: number;
  /** Told to streams since the start. */
  readonly gaps: ReadonlyMap<GapReason, number>;
  /** From the coming of an event at this node to its last write. */
  readonly publishToWrite: HistogramReading;
  /** Of the workspaces that are listed. */
  readonly byWorkspace: ReadonlyMap<string, Deliveries>;
}

/** Counts streams as they come and go. */
export class StreamTally {
  readonly ended = new Map<EndReason, number>();
  readonly gaps = new Map<GapReason, number>();
  private openedCount = 0;

  get opened(): number {
    return this.openedCount;
  }

  open(): void {
    this.openedCount++;
  }

  gap(reason: GapReason): void {
    this.gaps.set(reason, (this.gaps.get(reason) ?? 0) + 1);
  }

  /** @param code `null` where the service did not end it. */
  end(code: ServiceErrorCode | null): void {
    const reason = code ?? 'client';
    this.ended.set(reason, (this.ended.get(reason) ?? 0) + 1);
  }
}
