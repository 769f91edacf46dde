import { encodeFrame, formatCursor } from '@sluice/protocol';
import type { LogEntry, NewEntry } from './event-log.js';

// How the embedded log lays out its keys and values. Numbers are big-endian, so that keys sort as offsets do.

const OFFSET_BYTES = 6;
const KEY_HASH_BYTES = 32;
const NO_HASH = Buffer.alloc(0);

/** An entry's value: when it was appended, which idempotency record goes when it goes, and the entry itself. */
export interface StoredEntry {
  readonly entry: LogEntry;
  readonly appendedAt: number;
  readonly idempotencyHash: Buffer | null;
}

/** `<workspace> NUL <offset>`: workspace names hold no NUL, so no workspace's range reaches into another's. */
export function entryKey(workspace: string, offset: number): Buffer {
  const name = Buffer.from(`${workspace}\0`);
  const key = Buffer.allocUnsafe(name.length + OFFSET_BYTES);
  name.copy(key);
  key.writeUIntBE(offset, name.length, OFFSET_BYTES);
  return key;
}

export function offsetOfKey(key: Uint8Array): number {
  const buffer = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return buffer.readUIntBE(buffer.length - OFFSET_BYTES, OFFSET_BYTES);
}

export function frameOf(epoch: string, offset: number, event: NewEntry): Buffer {
  return Buffer.from(encodeFrame({ id: formatCursor(epoch, offset), data: event.json }));
}

export function encodeEntry({ entry, appendedAt, idempotencyHash }: StoredEntry): Buffer {
  const topic = Buffer.from(entry.topic);
  const type = Buffer.from(entry.type);
  const hash = idempotencyHash ?? NO_HASH;
  const head = Buffer.allocUnsafe(11);
  head.writeUIntBE(appendedAt, 0, 6);
  head.writeUInt16BE(topic.length, 6);
  head.writeUInt16BE(type.length, 8);
  head.writeUInt8(hash.length, 10);
  return Buffer.concat([head, topic, type, hash, entry.frame]);
}

export function decodeEntry(offset: number, value: Buffer): StoredEntry {
  const topicEnd = 11 + value.readUInt16BE(6);
  const typeEnd = topicEnd + value.readUInt16BE(8);
  const hashEnd = typeEnd + value.readUInt8(10);
  return {
    entry: {
      offset,
      previous: offset - 1,
      topic: value.toString('utf8', 11, topicEnd),
      type: value.toString('utf8', topicEnd, typeEnd),
      frame: value.subarray(hashEnd),
    },
    appendedAt: value.readUIntBE(0, 6),
    idempotencyHash: hashEnd > typeEnd ? value.subarray(typeEnd, hashEnd) : null,
  };
}

/** What is known of a workspace without reading its entries. */
export interface WorkspaceState {
  readonly head: number;
  readonly oldest: number;
  /** Bytes of all entries kept. */
  readonly bytes: number;
}

export const EMPTY_WORKSPACE: WorkspaceState = { head: 0, oldest: 0, bytes: 0 };

export function encodeState({ head, oldest, bytes }: WorkspaceState): Buffer {
  const value = Buffer.allocUnsafe(18);
  value.writeUIntBE(head, 0, 6);
  value.writeUIntBE(oldest, 6, 6);
  value.writeUIntBE(bytes, 12, 6);
  return value;
}

export function decodeState(value: Buffer | undefined): WorkspaceState {
  if (value === undefined) return EMPTY_WORKSPACE;
  return {
    head: value.readUIntBE(0, 6),
    oldest: value.readUIntBE(6, 6),
    bytes: value.readUIntBE(12, 6),
  };
}

/** What an idempotency key stands for. It is kept as long as the first event of its batch. */
export interface IdempotencyRecord {
  readonly first: number;
  readonly count: number;
  readonly fingerprint: Buffer;
}

export function idempotencyKey(workspace: string, keyHash: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${workspace}\0`), keyHash]);
}

export function encodeIdempotency({ first, count, fingerprint }: IdempotencyRecord): Buffer {
  const value = Buffer.allocUnsafe(10);
  value.writeUIntBE(first, 0, 6);
  value.writeUInt32BE(count, 6);
  return Buffer.concat([value, fingerprint], 10 + KEY_HASH_BYTES);
}

export function decodeIdempotency(value: Buffer): IdempotencyRecord {
  return {
    first: value.readUIntBE(0, 6),
    count: value.readUInt32BE(6),
    fingerprint: value.subarray(10),
  };
}
