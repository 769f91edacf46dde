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

/** The chunks of a workspace, from that on which holds an offset. */
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
  const parts: Part[] = [];
  let { maxEntries, maxBytes } = limit;
  for (const found of chunksFrom(table, workspace, after + 1)) {
    const part = partOf(found, after, { maxEntries, maxBytes }, parts.length === 0);
    if (part.ends.length > 0) parts.push(part);
    maxEntries -= part.ends.length;
    maxBytes -= part.frames.length;
    if (maxEntries <= 0 || maxBytes <= 0 || part.isCut) break;
  }
  return new ChunkExcerpt(after, parts);
}

/** What a read takes of a chunk. */
interface Part {
  readonly frames: Buffer;
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

class ChunkExcerpt implements Excerpt {
  readonly packed: PackedFrames;
  private readonly kinds: readonly Part['kinds'][];
  private made: readonly LogEntry[] | null = null;

  constructor(previous: number, parts: readonly Part[]) {
    const [only] = parts;
    // Most reads find what they want in one chunk: it is given out without a copy.
    const joined = only !== undefined && parts.length === 1 ? only : join(parts);
    this.packed = { previous, frames: joined.frames, ends: joined.ends };
    this.kinds = parts.map(({ kinds }) => kinds);
  }

  get entries(): readonly LogEntry[] {
    this.made ??= entriesOf(
      this.packed,
      this.kinds.flatMap((kindsOfPart) => kindsOfPart()),
    );
    return this.made;
  }
}

function join(parts: readonly Part[]): Pick<PackedFrames, 'frames' | 'ends'> {
  const frames = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.frames.length, 0));
  const ends: number[] = [];
  let bytes = 0;
  for (const part of parts) {
    frames.set(part.frames, bytes);
    for (const end of part.ends) ends.push(bytes + end);
    bytes += part.frames.length;
  }
  return { frames, ends };
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
