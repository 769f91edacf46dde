import { formatCursor } from '@sluice/protocol';
import { LRUCache } from 'lru-cache';
import { SluiceError } from '../errors.js';
import type { EventLog } from '../log/event-log.js';
import type { Filter } from './filter.js';
import type { Gap } from './follower.js';
import { type Page, pageOf } from './page.js';

const CACHE_BYTES = 33_554_432;
const READ_LIMIT = { maxEntries: 500, maxBytes: 131_072 };

interface Request {
  readonly workspace: string;
  readonly epoch: string;
  readonly cursor: number;
  readonly filter: Filter;
}

/**
 * Pages of the log. Streams that come back to the same place, as they do when a node was lost, share one read and
 * one buffer.
 */
export class History {
  private readonly pages: LRUCache<string, Page, Request>;

  constructor(private readonly log: EventLog) {
    this.pages = new LRUCache<string, Page, Request>({
      maxSize: CACHE_BYTES,
      sizeCalculation: ({ frames }) => frames.length + 256,
      fetchMethod: (_key, _stale, { context }) => this.load(context),
    });
  }

  /** What follows the cursor. @throws SluiceError UNAVAILABLE when the log cannot be read. */
  async after(request: Request): Promise<Page> {
    const { workspace, epoch, cursor, filter } = request;
    const key = `${workspace} ${epoch}-${cursor} ${filter.key}`;
    const page = await this.pages.fetch(key, { context: request });
    if (page === undefined) throw new SluiceError('UNAVAILABLE');
    return page;
  }

  private async load({ workspace, epoch, cursor, filter }: Request): Promise<Page> {
    const entries = await this.log.read(workspace, cursor, READ_LIMIT);
    const first = entries[0];
    if (first === undefined) return this.nothingLeft(workspace, epoch, cursor);
    const gap = first.offset > cursor + 1 ? expired(epoch, cursor, first.offset - 1) : null;
    return { ...pageOf(entries, 0, filter), gap };
  }

  /** Everything behind the cursor was trimmed before it could be read. */
  private async nothingLeft(workspace: string, epoch: string, cursor: number): Promise<Page> {
    const { oldest } = await this.log.extent(workspace);
    if (oldest <= cursor) {
      throw new SluiceError('UNAVAILABLE', 'The event log does not hold what it announced.');
    }
    return { frames: Buffer.alloc(0), end: oldest, gap: expired(epoch, cursor, oldest) };
  }
}

function expired(epoch: string, cursor: number, oldest: number): Gap {
  return { from: formatCursor(epoch, cursor), oldest, reason: 'expired' };
}
