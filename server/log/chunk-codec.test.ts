import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ChunkEntry, decodeChunk, encodeChunk } from './chunk-codec.js';

const HASH = Buffer.alloc(32, 7);

/** All entries, chunk by chunk. */
function chunksOf(entries: readonly ChunkEntry[]): Buffer[] {
  const values: Buffer[] = [];
  for (let from = 0; from < entries.length; ) {
    const { value, count } = encodeChunk(entries, from, 1_700_000_000_000);
    values.push(value);
    from += count;
  }
  return values;
}

function entriesOf(value: Buffer): ChunkEntry[] {
  const { frames, ends, kinds, hashes } = decodeChunk(value);
  const found = hashes();
  return kinds().map(({ topic, type }, index) => ({
    topic,
    type,
    frame: frames.toString('utf8', ends[index - 1] ?? 0, ends[index]),
    idempotencyHash: found.find((entry) => entry.index === index)?.hash ?? null,
  }));
}

function entry(frame: string, topic = 'orders'): ChunkEntry {
  return { topic, type: 'changed', frame, idempotencyHash: null };
}

describe('a chunk', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
  const anyEntry: fc.Arbitrary<ChunkEntry> = fc.record({
    topic: name,
    type: name,
    frame: fc
      .tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.integer({ min: 1, max: 3_000 }))
      .map(([text, times]) => text.repeat(times)),
    idempotencyHash: fc.option(fc.constant(HASH)),
  });

  it('gives back the entries that it was made of', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 40 }), (entries) => {
        expect(chunksOf(entries).flatMap(entriesOf)).toEqual(entries);
      }),
      { numRuns: 50 },
    );
  });

  it('holds no more than is written to a socket at once', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 40 }), (entries) => {
        for (const { frames, ends } of chunksOf(entries).map(decodeChunk)) {
          expect(frames.length <= 65_536 || ends.length === 1).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['of one byte a character', 'x', 4],
    ['of two bytes a character', 'é', 2],
  ])('is filled with frames %s', (_, character, expected) => {
    const [first] = chunksOf(Array(9).fill(entry(character.repeat(16_384)))) as [Buffer];
    expect(decodeChunk(first).ends).toHaveLength(expected);
  });

  it('holds 256 entries at the most, each of a kind of its own', () => {
    const entries = Array.from({ length: 300 }, (_, n) => entry(`${n}`, `topic-${n}`));
    const chunks = chunksOf(entries);
    expect(chunks.map((value) => decodeChunk(value).ends.length)).toEqual([256, 44]);
    expect(chunks.flatMap(entriesOf)).toEqual(entries);
  });

  it('takes names apart whose letters are the same', () => {
    const entries = [
      { ...entry('1', 'ab'), type: 'c' },
      { ...entry('2', 'a'), type: 'bc' },
    ];
    expect(chunksOf(entries).flatMap(entriesOf)).toEqual(entries);
  });

  it('costs what lies beside its frames, and says how much that is', () => {
    const [value] = chunksOf([entry('one'), entry('three')]) as [Buffer];
    const { tableBytes, frames, appendedAt } = decodeChunk(value);
    expect(tableBytes + frames.length).toBe(value.length);
    expect(frames.toString()).toBe('onethree');
    expect(appendedAt).toBe(1_700_000_000_000);
  });
});
