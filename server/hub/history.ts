import { formatCursor } from '@sluice/protocol';
import { LRUCache } from 'lru-cache';
import { SluiceError } from '../errors.js';
import { type EventLog, type Excerpt, followsOn, isSeam, type LogEntry } from '../log/event-log.js';
import { type Filter, passesAll } from './filter.js';
import type { Gap } from './follower.js';
import { indexAfter, MAX_WRITE_BYTES, type Page, pageOf, pageOfAll, ROUND } from './page.js';

/** What is kept of stretches, and as much again of pages. */
const CACHE_BYTES = 16_777_216;
export const MAX_HISTORY_BYTES = 2 * CACHE_BYTES;
/** What retention has taken is not given out for longer than this. */
const CACHE_MS = 30_000;
/** No more than is written at once: a page is a part of it, and keeps all of it in memory while its socket is slow. */
const STRETCH = { maxEntries: 512, maxBytes: MAX_WRITE_BYTES };
/** What an entry takes beside its frame, once it is made. */
const ENTRY_BYTES = 128;

interface Place {
  readonly workspace: string;
  readonly epoch: string;
  readonly cursor: number;
}

interface Request extends Place {
  readonly filter: Filter;
}

/**
 * Pages of the log. Streams that come back to about the same place, as they do when a node was lost, share one read of
 * the log, whatever their filters; those with one filter at one cursor share one buffer too.
 */
export class History {
  private readonly stretches: LRUCache<string, Excerpt>;
  /** What is being read. The cache could keep it too, at the price of an AbortController a read. */
  private readonly reading = new Map<string, Promise<Excerpt | undefined>>();
  /** For those who filter; the others' are parts of a stretch. */
  private readonly pages: LRUCache<string, Page, Request>;

  constructor(private readonly log: EventLog) {
    this.stretches = new LRUCache<string, Excerpt>({
      maxSize: CACHE_BYTES,
      ttl: CACHE_MS,
      sizeCalculation: sizeOf,
    });
    this.pages = new LRUCache<string, Page, Request>({
      maxSize: CACHE_BYTES,
      ttl: CACHE_MS,
      sizeCalculation: ({ frames }) => frames.length + 256,
      fetchMethod: (_key, _stale, { context }) => this.load(context),
    });
  }

  /** Whether the log can be read, as far as is known. */
  get isAvailable(): boolean {
    return this.log.isAvailable;
  }

  /** Bytes kept at the moment. */
  get bytes(): number {
    return this.stretches.calculatedSize + this.pages.calculatedSize;
  }

  /** What follows the cursor. @throws SluiceError UNAVAILABLE when the log cannot be read. */
  async after(request: Request): Promise<Page> {
    if (passesAll(request.filter)) return this.load(request);
    const key = `${keyOf(request)} ${request.filter.key}`;
    const page = await this.pages.fetch(key, { context: request });
    if (page === undefined) throw new SluiceError('UNAVAILABLE');
    return page;
  }

  private async load(request: Request): Promise<Page> {
    const stretch = await this.stretchBehind(request);
    if (stretch === undefined) return this.nothingLeft(request);
    const { packed } = stretch;
    if (packed !== null && packed.previous <= request.cursor && passesAll(request.filter)) {
      return pageOfAll(packed, request.cursor);
    }
    return this.select(stretch.entries, request);
  }

  private select(stretch: readonly LogEntry[], { epoch, cursor, filter }: Request): Page {
    const entries = stretch.slice(indexAfter(stretch, cursor));
    const first = entries[0] as LogEntry;
    const reason = isSeam(first) ? 'lost' : 'expired';
    const end = first.previous > cursor ? first.previous : first.offset;
    const gap = followsOn(first, cursor) ? null : missing(epoch, cursor, end, reason);
    return { ...pageOf(untilHole(entries), 0, filter), gap };
  }

  /** A stretch that has something behind the cursor. They begin at round offsets, so that readers that stand close to each other share them. */
  private async stretchBehind(place: Place): Promise<Excerpt | undefined> {
    const { cursor } = place;
    const start = cursor - (cursor % ROUND);
    const shared = await this.stretch({ ...place, cursor: start });
    // It ends before the cursor if its events are large, or if it was read when the log had not come that far.
    return start === cursor || (shared !== undefined && endOf(shared) > cursor)
      ? shared
      : this.stretch(place);
  }

  private async stretch(place: Place): Promise<Excerpt | undefined> {
    const key = keyOf(place);
    const known = this.stretches.get(key);
    if (known !== undefined) return known;
    const reading = this.reading.get(key) ?? this.read(key, place);
    this.reading.set(key, reading);
    return reading;
  }

  /** Nothing is no stretch, and is not remembered. */
  private async read(
    key: string,
    { workspace, epoch, cursor }: Place,
  ): Promise<Excerpt | undefined> {
    try {
      const stretch = await this.log.read(workspace, { epoch, offset: cursor }, STRETCH);
      if (endOf(stretch) < 0) return undefined;
      this.stretches.set(key, stretch);
      return stretch;
    } finally {
      this.reading.delete(key);
    }
  }

  /** Everything behind the cursor was trimmed before it could be read. */
  private async nothingLeft({ workspace, epoch, cursor }: Place): Promise<Page> {
    const { oldest } = await this.log.extent(workspace);
    if (oldest <= cursor) {
      throw new SluiceError('UNAVAILABLE', 'The event log does not hold what it announced.');
    }
    const gap = missing(epoch, cursor, oldest, 'expired');
    return { frames: Buffer.alloc(0), events: 0, end: oldest, gap };
  }
}

/** Bytes that a stretch keeps in memory: all of the buffer that its frames are a part of. */
function sizeOf(stretch: Excerpt): number {
  const { packed } = stretch;
  if (packed !== null) return packed.frames.buffer.byteLength + packed.ends.length * ENTRY_BYTES;
  return stretch.entries.reduce((bytes, { frame }) => bytes + frame.length + ENTRY_BYTES, 0);
}

/** Offset of the last entry; -1 where there is none. */
function endOf(stretch: Excerpt): number {
  const { packed } = stretch;
  if (packed === null) return stretch.entries.at(-1)?.offset ?? -1;
  return packed.ends.length === 0 ? -1 : packed.previous + packed.ends.length;
}

/** What can be told in one go: behind a hole stands a gap. */
function untilHole(entries: readonly LogEntry[]): readonly LogEntry[] {
  const hole = entries.findIndex(
    ({ previous }, index) => index > 0 && previous > (entries[index - 1] as LogEntry).offset,
  );
  return hole < 0 ? entries : entries.slice(0, hole);
}

function keyOf({ workspace, epoch, cursor }: Place): string {
  return `${workspace} ${epoch}-${cursor}`;
}

function missing(epoch: string, cursor: number, oldest: number, reason: Gap['reason']): Gap {
  return { from: formatCursor(epoch, cursor), epoch, resumesAt: oldest, oldest, reason };
}
