import { formatCursor, matchesPattern, parseCursor, type StreamGap } from '@sluice/protocol';

/** One event of the model: all that matters is its place and its topic. */
export interface LoggedEvent {
  readonly cursor: string;
  readonly topic: string;
}

/** What comes behind a cursor: an event, or a place where some may be missing, behind which it goes on. */
export type Passage = LoggedEvent | { readonly lostBefore: string };

/** Where a stream goes on that asked for a cursor. */
export interface Resumption {
  readonly resumed: 'fresh' | 'complete' | 'gap';
  /** Events behind this offset are sent. */
  readonly offset: number;
  readonly gap: StreamGap | null;
}

/** The topic that no token of the model may see. */
export const SECRET_TOPIC = 'secret';

/** How many offsets are passed over when another server keeps the log from now on. */
const SEAM = 1e9;

interface Place {
  readonly epoch: number;
  readonly offset: number;
}

/** The history of one workspace: kept for a while for those who resume, and for ever for the test. */
export class MemoryLog {
  /** Everything that was ever published, in order, over all epochs. */
  readonly history: (LoggedEvent & Place)[] = [];
  /** What was published and cannot be read any more, since the server that knew of it is gone. */
  readonly #lost = new Set<LoggedEvent>();
  /** Where, in this epoch, events may be missing: behind these offsets. */
  #losses: number[] = [];
  #epoch = 1;
  #offset = 0;
  #oldest = 0;

  get head(): string {
    return this.cursorAt(this.#offset);
  }

  get oldest(): string {
    return this.cursorAt(this.#oldest);
  }

  cursorAt(offset: number): string {
    return formatCursor(String(this.#epoch).padStart(8, '0'), offset);
  }

  /** The cursor behind which the newest `count` events of this epoch come. */
  cursorBefore(count: number): string {
    return this.#own.at(-count - 1)?.cursor ?? this.cursorAt(0);
  }

  append(topic: string): LoggedEvent {
    this.#offset++;
    const event = { cursor: this.head, topic, epoch: this.#epoch, offset: this.#offset };
    this.history.push(event);
    return event;
  }

  /** Retention takes all but the newest `kept` events. */
  trim(kept: number): void {
    const last = kept === 0 ? this.#offset : this.#own.at(-kept - 1)?.offset;
    this.#oldest = Math.max(this.#oldest, last ?? 0);
  }

  /** The log is lost and made anew. */
  renew(): void {
    this.#epoch++;
    this.#offset = 0;
    this.#oldest = 0;
    this.#losses = [];
  }

  /**
   * Another server keeps the log from now on.
   * @param lost how many of the newest events it does not know of; `null` where it is known to have them all
   * @returns behind which cursor it goes on, where some may be missing
   */
  replaceServer(lost: number | null): string | null {
    if (lost !== null)
      for (const event of lost > 0 ? this.#own.slice(-lost) : []) this.#lost.add(event);
    this.#offset += SEAM;
    if (lost === null) return null;
    this.#losses.push(this.#offset - 1);
    return this.cursorAt(this.#offset - 1);
  }

  /** The index in the history of what follows `cursor`; 0 for a cursor of another log. */
  indexBehind(cursor: string): number {
    const { epoch, offset } = placeOf(cursor);
    if (Number.isNaN(epoch)) return 0;
    const at = this.history.findIndex(
      (event) => event.epoch > epoch || (event.epoch === epoch && event.offset > offset),
    );
    return at < 0 ? this.history.length : at;
  }

  resume(lastEventId: string | null): Resumption {
    if (lastEventId === null) return { resumed: 'fresh', offset: this.#offset, gap: null };
    if (parseCursor(lastEventId) === null)
      throw new RangeError('the client sent something that is no cursor');
    const asked = placeOf(lastEventId);
    const gapAt = (offset: number, reason: StreamGap['reason']): Resumption => {
      const gap = { from: lastEventId, oldest: this.oldest, reason };
      return { resumed: 'gap', offset, gap };
    };
    if (asked.epoch !== this.#epoch) return gapAt(this.#oldest, 'unknown_epoch');
    if (asked.offset > this.#offset) return gapAt(this.#offset, 'ahead');
    if (asked.offset < this.#oldest) return gapAt(this.#oldest, 'expired');
    return { resumed: 'complete', offset: asked.offset, gap: null };
  }

  /** What is still there behind `offset`, and up to `repeated` events before it. */
  after(offset: number, repeated: number): Passage[] {
    const kept = this.#own.filter((event) => !this.#lost.has(event));
    const at = kept.findIndex((event) => event.offset > offset);
    const events = kept.slice(Math.max(0, (at < 0 ? kept.length : at) - repeated));
    const losses = this.#losses
      .filter((loss) => loss > offset)
      .map((loss) => ({ lostBefore: this.cursorAt(loss), offset: loss }));
    return [...events, ...losses].sort((one, other) => one.offset - other.offset);
  }

  get #own(): (LoggedEvent & Place)[] {
    return this.history.filter(({ epoch }) => epoch === this.#epoch);
  }
}

function placeOf(cursor: string): Place {
  const { epoch = '', offset = 0 } = parseCursor(cursor) ?? {};
  return { epoch: Number(epoch), offset };
}

/** Whether a subscription to `topics` (none: all) gets an event. */
export function isWanted(topics: readonly string[], { topic }: LoggedEvent): boolean {
  if (topic === SECRET_TOPIC) return false;
  return topics.length === 0 || topics.some((pattern) => matchesPattern(pattern, topic));
}
