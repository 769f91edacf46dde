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
 * The chunks of a workspace, from that on which holds an offset. The frames of each lie in memory that whatever is read of
 * the store next is written to.
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
  const ends: number[] = [];
  const kinds: Part['kinds'][] = [];
  let bytes = 0;
  for (const found of chunksFrom(table, workspace, after + 1)) {
    const left = {
      maxEntries: limit.maxEntries - ends.length,
      maxBytes: limit.maxBytes - bytes,
    };
    const part = partOf(found, after, left, ends.length === 0);
    gather(part.frames, bytes);
    for (const end of part.ends) ends.push(bytes + end);
    kinds.push(part.kinds);
    bytes += part.frames.length;
    if (part.isCut || ends.length >= limit.maxEntries || bytes >= limit.maxBytes) break;
  }
  return new ChunkExcerpt({ previous: after, frames: gathered(bytes), ends }, kinds);
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

/** More than is read at once for a stream, and than an event is as a rule. */
const GATHERING_BYTES = 131_072;
/** Where a read gathers frames: memory outside of the heap, made anew for each chunk, would have the collector run all the time. */
let gathering = Buffer.allocUnsafeSlow(GATHERING_BYTES);

function gather(frames: Buffer, at: number): void {
  const end = at + frames.length;
  if (end > gathering.length) {
    const larger = Buffer.allocUnsafeSlow(2 * end);
    larger.set(gathering.subarray(0, at));
    gathering = larger;
  }
  gathering.set(frames, at);
}

/** A copy of what was gathered, for good. */
function gathered(bytes: number): Buffer {
  const frames = Buffer.allocUnsafeSlow(bytes);
  frames.set(gathering.subarray(0, bytes));
  if (gathering.length > GATHERING_BYTES) gathering = Buffer.allocUnsafeSlow(GATHERING_BYTES);
  return frames;
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
