import { formatCursor, matchesPattern, parseCursor, type StreamGap } from '@sluice/protocol';

/** One event of the model: all that matters is its place and its topic. */
export interface LoggedEvent {
  readonly cursor: string;
  readonly topic: string;
}

/** Where a stream goes on that asked for a cursor. */
export interface Resumption {
  readonly resumed: 'fresh' | 'complete' | 'gap';
  /** Events behind this offset are sent. */
  readonly offset: number;
  readonly gap: StreamGap | null;
}

/** The topic that no token of the model may see. */
export const SECRET_TOPIC = 'secret';

/** The history of one workspace: kept for a while for those who resume, and for ever for the test. */
export class MemoryLog {
  /** Everything that was ever published, in order, over all epochs. */
  readonly history: LoggedEvent[] = [];
  /** Where each epoch begins in the history. */
  readonly #epochs = [0];
  #offset = 0;
  #oldest = 0;

  get head(): string {
    return this.cursorAt(this.#offset);
  }

  get offset(): number {
    return this.#offset;
  }

  cursorAt(offset: number): string {
    return formatCursor(String(this.#epochs.length).padStart(8, '0'), Math.max(offset, 0));
  }

  append(topic: string): LoggedEvent {
    this.#offset++;
    const event = { cursor: this.head, topic };
    this.history.push(event);
    return event;
  }

  /** Retention takes all but the newest `kept` events. */
  trim(kept: number): void {
    this.#oldest = Math.max(this.#oldest, this.#offset - kept);
  }

  /** The log is lost and made anew. */
  renew(): void {
    this.#epochs.push(this.history.length);
    this.#offset = 0;
    this.#oldest = 0;
  }

  /** The index in the history of what follows `cursor`; 0 for a cursor of another log. */
  indexBehind(cursor: string): number {
    const { epoch = '', offset = 0 } = parseCursor(cursor) ?? {};
    const start = this.#epochs[Number(epoch) - 1];
    return start === undefined ? 0 : start + offset;
  }

  resume(lastEventId: string | null): Resumption {
    if (lastEventId === null) return { resumed: 'fresh', offset: this.#offset, gap: null };
    const asked = parseCursor(lastEventId);
    if (asked === null) throw new RangeError('the client sent something that is no cursor');
    const gapAt = (offset: number, reason: StreamGap['reason']): Resumption => {
      const oldest = this.cursorAt(this.#oldest);
      return { resumed: 'gap', offset, gap: { from: lastEventId, oldest, reason } };
    };
    if (asked.epoch !== parseCursor(this.head)?.epoch) return gapAt(this.#oldest, 'unknown_epoch');
    if (asked.offset > this.#offset) return gapAt(this.#offset, 'ahead');
    if (asked.offset < this.#oldest) return gapAt(this.#oldest, 'expired');
    return { resumed: 'complete', offset: asked.offset, gap: null };
  }

  /** The events behind `offset` that are still there. */
  after(offset: number): LoggedEvent[] {
    return this.history.slice(this.history.length - (this.#offset - offset));
  }
}

/** Whether a subscription to `topics` (none: all) gets an event. */
export function isWanted(topics: readonly string[], { topic }: LoggedEvent): boolean {
  if (topic === SECRET_TOPIC) return false;
  return topics.length === 0 || topics.some((pattern) => matchesPattern(pattern, topic));
}
