import { type Chunk, decodeChunk, type Kind } from './chunk-codec.js';
import { chunkKey, LAST_OFFSET, offsetOfKey } from './entry-codec.js';
import type { Excerpt, LogEntry, PackedFrames, ReadLimit } from './event-log.js';
import type { Table } from './tables.js';

/** A chunk and where it lies. */
export interface FoundChunk {
  readonly key: Buffer;
  readonly first: number;
  readonly last: number;
  readonly chunk: Chunk;
}

/**
 * The chunks of a workspace, from that on which holds an offset. The frames of each lie in memory that the next one is
 * written to.
 */
export function* chunksFrom(table: Table, workspace: string, offset: number): Iterable<FoundChunk> {
  const range = table.getRange({
    start: chunkKey(workspace, offset),
    end: chunkKey(workspace, LAST_OFFSET),
  });
  for (const { key, value } of range) {
    const chunk = decodeChunk(value);
    const last = offsetOfKey(key);
    yield { key: Buffer.from(key), first: last - chunk.ends.length + 1, last, chunk };
  }
}

/** What follows an offset of a workspace, which must be kept. */
export function readExcerpt(
  table: Table,
  workspace: string,
  after: number,
  limit: ReadLimit,
): Excerpt {
  const excerpt = new ExcerptInMaking(after);
  let { maxEntries, maxBytes } = limit;
  for (const found of chunksFrom(table, workspace, after + 1)) {
    const part = partOf(found, after, { maxEntries, maxBytes }, excerpt.isEmpty);
    excerpt.add(part);
    maxEntries -= part.ends.length;
    maxBytes -= part.frames.length;
    if (maxEntries <= 0 || maxBytes <= 0 || part.isCut) break;
  }
  return excerpt.made();
}

/** What a read takes of a chunk. */
interface Part {
  readonly frames: Buffer;
  /** Where each frame ends within `frames`. */
  readonly ends: readonly number[];
  readonly kinds: () => readonly Kind[];
  /** Whether the chunk has more. */
  readonly isCut: boolean;
}

function partOf(
  { first, chunk: { ends, frames, kinds } }: FoundChunk,
  after: number,
  { maxEntries, maxBytes }: ReadLimit,
  takesOne: boolean,
): Part {
  const from = Math.max(0, after + 1 - first);
  const start = from === 0 ? 0 : (ends[from - 1] as number);
  const last = Math.min(ends.length, from + maxEntries);
  let to = takesOne ? from + 1 : from;
  while (to < last && (ends[to] as number) - start <= maxBytes) to++;
  const taken = ends.slice(from, to);
  return {
    frames: frames.subarray(start, taken.at(-1) ?? start),
    ends: start === 0 ? taken : taken.map((end) => end - start),
    kinds: () => kinds().slice(from, to),
    isCut: to < ends.length,
  };
}

/** Twice what is read at once for a stream. */
const GATHERED_BYTES = 131_072;
/** Where reads gather frames: memory outside of the heap that each made for itself would have the collector run all the time. */
let gathered = Buffer.allocUnsafeSlow(GATHERED_BYTES);

/** An excerpt whose frames are being gathered. */
class ExcerptInMaking {
  private readonly ends: number[] = [];
  private readonly kinds: Part['kinds'][] = [];
  private bytes = 0;

  constructor(private readonly previous: number) {}

  get isEmpty(): boolean {
    return this.ends.length === 0;
  }

  add({ frames, ends, kinds }: Part): void {
    if (ends.length === 0) return;
    this.makeRoom(frames.length);
    gathered.set(frames, this.bytes);
    for (const end of ends) this.ends.push(this.bytes + end);
    this.kinds.push(kinds);
    this.bytes += frames.length;
  }

  made(): Excerpt {
    const frames = Buffer.allocUnsafeSlow(this.bytes);
    frames.set(gathered.subarray(0, this.bytes));
    if (gathered.length > GATHERED_BYTES) gathered = Buffer.allocUnsafeSlow(GATHERED_BYTES);
    return new ChunkExcerpt({ previous: this.previous, frames, ends: this.ends }, this.kinds);
  }

  private makeRoom(more: number): void {
    const needed = this.bytes + more;
    if (needed <= gathered.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * needed);
    larger.set(gathered.subarray(0, this.bytes));
    gathered = larger;
  }
}

class ChunkExcerpt implements Excerpt {
  private made: readonly LogEntry[] | null = null;

  constructor(
    readonly packed: PackedFrames,
    private readonly kinds: readonly Part['kinds'][],
  ) {}

  get entries(): readonly LogEntry[] {
    this.made ??= entriesOf(
      this.packed,
      this.kinds.flatMap((kindsOfPart) => kindsOfPart()),
    );
    return this.made;
  }
}

/** Entries whose frames are parts of one buffer. */
export function entriesOf(
  { previous, frames, ends }: PackedFrames,
  kinds: readonly Kind[],
): readonly LogEntry[] {
  let start = 0;
  return kinds.map(({ topic, type }, index) => {
    const end = ends[index] as number;
    const frame = frames.subarray(start, end);
    start = end;
    const before = previous + index;
    return { offset: before + 1, previous: before, topic, type, frame };
  });
}
