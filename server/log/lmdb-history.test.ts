import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { open } from 'lmdb';
import type { Retention } from '../config.js';
import { chunkKey, encodeIdempotency, frameOf, idempotencyKey } from './entry-codec.js';
import type { EventLog, LogEntry, NewEntry } from './event-log.js';
import { openLmdbEventLog } from './lmdb-event-log.js';
import { openTables } from './tables.js';

const EVERYTHING = { maxEntries: 1_000_000, maxBytes: 1_000_000_000 };
const GENEROUS: Retention = { maxAgeSeconds: 3_600, maxEvents: 100_000, maxBytes: 100_000_000 };
const FINGERPRINT = Buffer.alloc(32, 1);

let folder: string;
let log: EventLog;

const openLog = (own: Partial<Retention> = {}) =>
  openLmdbEventLog(folder, { default: { ...GENEROUS, ...own }, workspaces: [] });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-history-'));
  log = await openLog();
});
afterEach(async () => {
  await log.close();
  await rm(folder, { recursive: true });
});

async function reopen(own: Partial<Retention> = {}): Promise<void> {
  await log.close();
  log = await openLog(own);
}

function event(n: number, size = 0): NewEntry {
  return { topic: `topic-${n % 3}`, type: 'changed', json: `{"n":${n},"x":"${'é'.repeat(size)}"}` };
}

function events(count: number, from = 1, size = 0): NewEntry[] {
  return Array.from({ length: count }, (_, index) => event(from + index, size));
}

async function readAfter(
  offset: number,
  limit = EVERYTHING,
  workspace = 'acme',
): Promise<readonly LogEntry[]> {
  const { epoch } = await log.extent(workspace);
  return (await log.read(workspace, { epoch, offset }, limit)).entries;
}

const numberOf = ({ frame }: LogEntry) => Number(/"n":(\d+)/.exec(frame.toString())?.[1]);
const offsets = (entries: readonly LogEntry[]) => entries.map(({ offset }) => offset);
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('the history of the embedded log', () => {
  it('is read from every cursor, whatever shares a chunk with it', async () => {
    await Promise.all([
      log.append('acme', events(300)),
      log.append('acme', [event(301)]),
      log.append('other', events(3)),
      log.append('acme', events(4, 302, 20_000)),
    ]);
    await log.append('acme', events(95, 306));
    for (const cursor of range(0, 400)) {
      const entries = await readAfter(cursor);
      expect(entries.map(numberOf)).toEqual(range(cursor + 1, 400));
      expect(offsets(entries)).toEqual(range(cursor + 1, 400));
      const [one] = await readAfter(cursor, { maxEntries: 1, maxBytes: 1 });
      expect(one?.offset).toBe(cursor < 400 ? cursor + 1 : undefined);
    }
  });

  it('gives its frames in one piece, as large as asked for', async () => {
    for (const n of range(1, 20)) await log.append('acme', events(10, 10 * n - 9, 50));
    const { epoch } = await log.extent('acme');
    for (const offset of [0, 5, 10, 64, 199]) {
      const limit = { maxEntries: 100, maxBytes: 4_000 };
      const { packed, entries } = await log.read('acme', { epoch, offset }, limit);
      expect(packed?.previous).toBe(offset);
      expect(packed?.frames).toEqual(Buffer.concat(entries.map(({ frame }) => frame)));
      expect(packed?.frames.length).toBeLessThanOrEqual(4_000);
      expect([...(packed?.ends ?? [])]).toHaveLength(entries.length);
    }
  });

  it('gives out frames that no later read changes, however large', async () => {
    const sizes = [1, 50, 20_000, 90_000];
    for (const [at, size] of sizes.entries()) {
      await log.append(`of-${size}`, events(3, 10 * at, size));
      await log.append(`of-${size}`, events(3, 10 * at + 3, size));
    }
    const read = async (size: number) => {
      const { epoch } = await log.extent(`of-${size}`);
      const { packed } = await log.read(`of-${size}`, { epoch, offset: 0 }, EVERYTHING);
      return packed?.frames ?? Buffer.alloc(0);
    };
    const before = await Promise.all(sizes.map(read));
    const texts = before.map(String);
    for (const size of [...sizes, ...sizes.toReversed()]) await read(size);
    await log.append('acme', events(5, 100, 20_000));
    expect(before.map(String)).toEqual(texts);
    for (const [at, text] of texts.entries()) {
      const numbers = [...text.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
      expect(numbers).toEqual(range(10 * at, 10 * at + 5));
    }
  });

  it('is trimmed within a chunk, and idempotency keys with the events that they came with', async () => {
    await reopen({ maxEvents: 100 });
    const keyed = (key: string, count: number) =>
      log.append('acme', events(count), { key, fingerprint: FINGERPRINT });
    // One transaction, and so one chunk: of its 100 events 16 go.
    await Promise.all([keyed('a', 10), keyed('b', 10), keyed('c', 80)]);
    await log.append('acme', events(10));
    expect(await log.extent('acme')).toMatchObject({ head: 110, oldest: 16 });
    expect(offsets(await readAfter(0))).toEqual(range(17, 110));
    expect(offsets(await readAfter(20))).toEqual(range(21, 110));
    expect(await log.stats()).toMatchObject({ events: 94 });
    const again = await keyed('c', 80);
    expect(again).toMatchObject({ first: 21, count: 80 });
    expect(offsets(again.repeated ?? [])).toEqual(range(21, 100));
    expect(await keyed('b', 10)).toMatchObject({ first: 111, repeated: null });
    expect(await keyed('a', 10)).toMatchObject({ first: 121, repeated: null });
  });

  it('counts its events across a restart', async () => {
    await log.append('acme', events(300));
    await log.append('other', events(7));
    await reopen({ maxEvents: 200 });
    expect(await log.stats()).toMatchObject({ workspaces: 2, events: 307 });
    await log.append('acme', events(1));
    const { head, oldest } = await log.extent('acme');
    expect(await log.stats()).toMatchObject({ events: head - oldest + 7 });
  });

  it('keeps its promises whatever is appended, trimmed and repeated', async () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.nat(400)), {
      minLength: 1,
      maxLength: 4,
    });
    const bounds = { maxEvents: 150, maxBytes: 60_000 };
    await fc.assert(
      fc.asyncProperty(fc.array(sizes, { minLength: 1, maxLength: 12 }), async (groups) => {
        const workspace = `ws-${Math.random()}`;
        await reopen(bounds);
        let head = 0;
        for (const group of groups) {
          const batches = group.map(([count, size]) => {
            const batch = events(count, head + 1, size);
            head += count;
            return batch;
          });
          await Promise.all(batches.map((batch) => log.append(workspace, batch)));
          await checkHistory(workspace, head, bounds);
        }
      }),
      { numRuns: 15 },
    );
  });

  async function checkHistory(
    workspace: string,
    head: number,
    { maxEvents, maxBytes }: Pick<Retention, 'maxEvents' | 'maxBytes'>,
  ): Promise<void> {
    const extent = await log.extent(workspace);
    const kept = await readAfter(0, EVERYTHING, workspace);
    expect(extent.head).toBe(head);
    expect(kept.map(numberOf)).toEqual(range(extent.oldest + 1, head));
    expect(kept.length).toBeLessThanOrEqual(maxEvents);
    const bytes = kept.reduce((sum, { frame }) => sum + frame.length, 0);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
    // Nothing goes without need: an event has less than 1,000 bytes, and what lies beside the frames of a chunk 1,500.
    const isFull = kept.length > (maxEvents * 15) / 16 - 2 || bytes > (maxBytes * 15) / 16 - 4_000;
    expect(extent.oldest === 0 || isFull).toBe(true);
  }
});

describe('a data folder of before there were chunks', () => {
  /** What was appended at `at`: an event a value. */
  async function writeFormer(count: number, at: number): Promise<string> {
    const { epoch } = await log.extent('acme');
    await log.close();
    const root = open<Buffer, Uint8Array>({
      path: folder,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: 8,
    });
    const { entries, states, idempotency } = openTables(root);
    const hash = Buffer.from(
      // SHA-256 of "k".
      '8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a',
      'hex',
    );
    let bytes = 0;
    for (const offset of range(1, count)) {
      const value = formerEntry(epoch, offset, at, offset === 1 ? hash : null);
      await entries.put(chunkKey('acme', offset), value);
      bytes += value.length;
    }
    const record = encodeIdempotency({ first: 1, count: 2, fingerprint: FINGERPRINT });
    await idempotency.put(idempotencyKey('acme', hash), record);
    const state = Buffer.alloc(18);
    state.writeUIntBE(count, 0, 6);
    state.writeUIntBE(bytes, 12, 6);
    await states.put(Buffer.from('acme'), state);
    await root.close();
    return epoch;
  }

  function formerEntry(epoch: string, offset: number, at: number, hash: Buffer | null): Buffer {
    const { topic, type, json } = event(offset);
    const head = Buffer.alloc(11);
    head.writeUIntBE(at, 0, 6);
    head.writeUInt16BE(topic.length, 6);
    head.writeUInt16BE(type.length, 8);
    head.writeUInt8(hash?.length ?? 0, 10);
    const rest = [topic, type].map((text) => Buffer.from(text));
    const frame = Buffer.from(frameOf(epoch, offset, { json }));
    return Buffer.concat([head, ...rest, hash ?? Buffer.alloc(0), frame]);
  }

  const repeat = () => log.append('acme', events(2), { key: 'k', fingerprint: FINGERPRINT });

  it('is read on, and written on', async () => {
    const epoch = await writeFormer(20, Date.now());
    log = await openLog();
    expect(await log.extent('acme')).toEqual({ epoch, head: 20, oldest: 0 });
    await log.append('acme', events(10, 21));
    const entries = await readAfter(0);
    expect(entries.map(numberOf)).toEqual(range(1, 30));
    expect(entries.map(({ topic }) => topic)).toEqual(range(1, 30).map((n) => `topic-${n % 3}`));
    expect(offsets(await readAfter(15))).toEqual(range(16, 30));
    expect(await log.stats()).toMatchObject({ events: 30 });
    const { repeated } = await repeat();
    expect(repeated?.map(numberOf)).toEqual([1, 2]);
  });

  it('is trimmed like any other, by count', async () => {
    await writeFormer(20, Date.now());
    log = await openLog({ maxEvents: 24 });
    await log.append('acme', events(10, 21));
    expect(await log.extent('acme')).toMatchObject({ head: 30, oldest: 7 });
    expect((await readAfter(0)).map(numberOf)).toEqual(range(8, 30));
    expect(await repeat()).toMatchObject({ first: 31, repeated: null });
  });

  it('is trimmed like any other, by age', async () => {
    await writeFormer(20, Date.now() - 2 * GENEROUS.maxAgeSeconds * 1_000);
    log = await openLog();
    await log.append('acme', events(1, 21));
    expect(await log.extent('acme')).toMatchObject({ head: 21, oldest: 20 });
    expect((await readAfter(0)).map(numberOf)).toEqual([21]);
  });
});
