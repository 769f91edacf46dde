// The values of the embedded log's history: consecutive entries that were appended in one transaction, so that what a
// value costs, in writing and in reading, is paid once for all of them. Numbers are big-endian.
//
//   mark (1) | appended at (6) | number of entries (2), of kinds (2), of hashes (2) | rows | kinds | hashes | frames
//   row, one an entry: where its frame ends (4), its kind (1)
//   kind, one for each pair of topic and type: length of the topic (2), of the type (2), both texts
//   hash, one for each idempotency record that goes with an entry: index of the entry (1), SHA-256 (32)
//
// A value of the former layout is one entry:
//
//   appended at (6) | length of the topic (2), of the type (2), of the hash (1) | topic | type | hash | frame

/** A larger entry goes alone. One write to a socket takes as much, so a chunk is never more than a page. */
const MAX_ENTRIES = 256;
const MAX_FRAME_BYTES = 65_536;

/** No value of the former layout begins so before the year 10,889. */
const MARK = 0xff;
const HEAD_BYTES = 13;
const ROW_BYTES = 5;
const KIND_BYTES = 4;
const HASH_BYTES = 32;
const FORMER_HEAD_BYTES = 11;

/** An entry on its way into a chunk. */
export interface ChunkEntry {
  readonly topic: string;
  readonly type: string;
  /** The whole SSE frame. */
  readonly frame: string;
  /** Names the idempotency record that goes when this entry goes. */
  readonly idempotencyHash: Buffer | null;
}

/** A chunk as it is read; entries are named by their index in it. */
export interface Chunk {
  readonly appendedAt: number;
  /** All frames, one behind the other. */
  readonly frames: Buffer;
  /** Where each frame ends. */
  readonly ends: readonly number[];
  /** Bytes of the value that are no frames. */
  readonly tableBytes: number;
  /** Made when they are asked for: most readers want the frames alone. */
  kinds(): readonly Kind[];
  hashes(): readonly EntryHash[];
}

/** Topic and type of an entry. */
export interface Kind {
  readonly topic: string;
  readonly type: string;
}

export interface EntryHash {
  readonly index: number;
  readonly hash: Buffer;
}

/** The value of the chunk that begins with the entry at index `from`. */
export function encodeChunk(
  entries: readonly ChunkEntry[],
  from: number,
  appendedAt: number,
): { readonly value: Buffer; readonly count: number } {
  const { text, sizes } = nextFrames(entries, from);
  const table = encodeTable(entries.slice(from, from + sizes.length), sizes, appendedAt);
  const value = Buffer.allocUnsafe(table.length + sizes.reduce((sum, size) => sum + size, 0));
  table.copy(value);
  value.write(text, table.length);
  return { value, count: sizes.length };
}

/**
 * The frames that share a chunk, as one text: encoding that costs half of encoding each by itself. Where it is ASCII,
 * as JSON mostly is, the lengths of the texts are those of the bytes.
 */
function nextFrames(entries: readonly ChunkEntry[], from: number) {
  const guess = joinNext(entries, from, (frame) => frame.length);
  const isAscii = Buffer.byteLength(guess.text) === guess.text.length;
  return isAscii ? guess : joinNext(entries, from, (frame) => Buffer.byteLength(frame));
}

function joinNext(
  entries: readonly ChunkEntry[],
  from: number,
  sizeOf: (frame: string) => number,
): { readonly text: string; readonly sizes: readonly number[] } {
  const sizes: number[] = [];
  let text = '';
  let bytes = 0;
  for (let index = from; index < entries.length && sizes.length < MAX_ENTRIES; index++) {
    const { frame } = entries[index] as ChunkEntry;
    const size = sizeOf(frame);
    if (sizes.length > 0 && bytes + size > MAX_FRAME_BYTES) break;
    sizes.push(size);
    text += frame;
    bytes += size;
  }
  return { text, sizes };
}

function encodeTable(
  entries: readonly ChunkEntry[],
  sizes: readonly number[],
  appendedAt: number,
): Buffer {
  const kinds = new Map<string, number>();
  const head = Buffer.allocUnsafe(HEAD_BYTES + ROW_BYTES * entries.length);
  const parts: Buffer[] = [head];
  const hashes: Buffer[] = [];
  let end = 0;
  for (const [index, { topic, type, idempotencyHash }] of entries.entries()) {
    const row = HEAD_BYTES + ROW_BYTES * index;
    const name = `${topic.length} ${topic}${type}`;
    const kind = kinds.get(name) ?? kinds.size;
    if (kind === kinds.size) {
      kinds.set(name, kind);
      parts.push(encodeKind(topic, type));
    }
    end += sizes[index] as number;
    head.writeUInt32BE(end, row);
    head.writeUInt8(kind, row + 4);
    if (idempotencyHash !== null) hashes.push(Buffer.of(index), idempotencyHash);
  }
  head.writeUInt8(MARK, 0);
  head.writeUIntBE(appendedAt, 1, 6);
  head.writeUInt16BE(entries.length, 7);
  head.writeUInt16BE(kinds.size, 9);
  head.writeUInt16BE(hashes.length / 2, 11);
  return Buffer.concat([...parts, ...hashes]);
}

function encodeKind(topic: string, type: string): Buffer {
  const lengths = Buffer.allocUnsafe(KIND_BYTES);
  lengths.writeUInt16BE(Buffer.byteLength(topic), 0);
  lengths.writeUInt16BE(Buffer.byteLength(type), 2);
  return Buffer.concat([lengths, Buffer.from(topic + type)]);
}

export function decodeChunk(value: Buffer): Chunk {
  return value.readUInt8(0) === MARK ? readChunk(value) : readFormer(value);
}

function readChunk(value: Buffer): Chunk {
  const count = value.readUInt16BE(7);
  // An array, not a typed one: that is memory outside of the heap, and costs more than all the rest of this.
  const ends: number[] = [];
  for (let index = 0; index < count; index++) {
    ends.push(value.readUInt32BE(HEAD_BYTES + ROW_BYTES * index));
  }
  const tableBytes = value.length - (ends[count - 1] as number);
  // A copy, so that who keeps the kinds does not keep the frames.
  const table = Buffer.from(value.subarray(0, tableBytes));
  return {
    appendedAt: value.readUIntBE(1, 6),
    frames: value.subarray(tableBytes),
    ends,
    tableBytes,
    kinds: () => readKinds(table, count),
    hashes: () => readHashes(table),
  };
}

/** One an entry; entries of one kind share its texts. */
function readKinds(table: Buffer, count: number): readonly Kind[] {
  const kinds: Kind[] = [];
  let at = HEAD_BYTES + ROW_BYTES * count;
  for (let left = table.readUInt16BE(9); left > 0; left--) {
    const topicEnd = at + KIND_BYTES + table.readUInt16BE(at);
    const typeEnd = topicEnd + table.readUInt16BE(at + 2);
    const topic = table.toString('utf8', at + KIND_BYTES, topicEnd);
    kinds.push({ topic, type: table.toString('utf8', topicEnd, typeEnd) });
    at = typeEnd;
  }
  return Array.from(
    { length: count },
    (_, index) => kinds[table.readUInt8(HEAD_BYTES + ROW_BYTES * index + 4)] as Kind,
  );
}

function readHashes(table: Buffer): readonly EntryHash[] {
  const count = table.readUInt16BE(11);
  const start = table.length - count * (1 + HASH_BYTES);
  return Array.from({ length: count }, (_, nth) => {
    const at = start + nth * (1 + HASH_BYTES);
    return { index: table.readUInt8(at), hash: table.subarray(at + 1, at + 1 + HASH_BYTES) };
  });
}

function readFormer(value: Buffer): Chunk {
  const topicEnd = FORMER_HEAD_BYTES + value.readUInt16BE(6);
  const typeEnd = topicEnd + value.readUInt16BE(8);
  const tableBytes = typeEnd + value.readUInt8(10);
  const table = Buffer.from(value.subarray(0, tableBytes));
  const topic = () => table.toString('utf8', FORMER_HEAD_BYTES, topicEnd);
  const type = () => table.toString('utf8', topicEnd, typeEnd);
  return {
    appendedAt: value.readUIntBE(0, 6),
    frames: value.subarray(tableBytes),
    ends: [value.length - tableBytes],
    tableBytes,
    kinds: () => [{ topic: topic(), type: type() }],
    hashes: () => (typeEnd < tableBytes ? [{ index: 0, hash: table.subarray(typeEnd) }] : []),
  };
}
