import { formatCursor } from '@sluice/protocol';
import { LRUCache } from 'lru-cache';
import { SluiceError } from '../errors.js';
import { type EventLog, followsOn, isSeam, type LogEntry } from '../log/event-log.js';
import type { Filter } from './filter.js';
import type { Gap } from './follower.js';
import { indexAfter, type Page, pageOf } from './page.js';

/** What is kept of stretches, and as much again of pages. */
const CACHE_BYTES = 16_777_216;
export const MAX_HISTORY_BYTES = 2 * CACHE_BYTES;
/** What retention has taken is not given out for longer than this. */
const CACHE_MS = 30_000;
const STRETCH = { maxEntries: 512, maxBytes: 131_072 };

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
  private readonly stretches: LRUCache<string, readonly LogEntry[], Place>;
  private readonly pages: LRUCache<string, Page, Request>;

  constructor(private readonly log: EventLog) {
    this.stretches = new LRUCache<string, readonly LogEntry[], Place>({
      maxSize: CACHE_BYTES,
      ttl: CACHE_MS,
      sizeCalculation: (entries) =>
        entries.reduce((bytes, { frame }) => bytes + frame.length + 128, 0),
      fetchMethod: (_key, _stale, { context }) => this.read(context),
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
    const key = `${keyOf(request)} ${request.filter.key}`;
    const page = await this.pages.fetch(key, { context: request });
    if (page === undefined) throw new SluiceError('UNAVAILABLE');
    return page;
  }

  private async load(request: Request): Promise<Page> {
    const { epoch, cursor, filter } = request;
    const entries = await this.entriesBehind(request);
    const first = entries[0];
    if (first === undefined) return this.nothingLeft(request);
    const reason = isSeam(first) ? 'lost' : 'expired';
    const end = first.previous > cursor ? first.previous : first.offset;
    const gap = followsOn(first, cursor) ? null : missing(epoch, cursor, end, reason);
    return { ...pageOf(untilHole(entries), 0, filter), gap };
  }

  /** Stretches begin at round offsets, so that readers that stand close to each other share them. */
  private async entriesBehind(place: Place): Promise<readonly LogEntry[]> {
    const { cursor } = place;
    const start = cursor - (cursor % STRETCH.maxEntries);
    const shared = await this.stretch({ ...place, cursor: start });
    const behind = shared.slice(indexAfter(shared, cursor));
    // It ends before the cursor if its events are large, or if it was read when the log had not come that far.
    return behind.length > 0 || start === cursor ? behind : this.stretch(place);
  }

  private async stretch(place: Place): Promise<readonly LogEntry[]> {
    return (await this.stretches.fetch(keyOf(place), { context: place })) ?? [];
  }

  /** Nothing is no stretch, and is not remembered. */
  private async read({
    workspace,
    epoch,
    cursor,
  }: Place): Promise<readonly LogEntry[] | undefined> {
    const entries = await this.log.read(workspace, { epoch, offset: cursor }, STRETCH);
    return entries.length === 0 ? undefined : entries;
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
