import { encodeFrame, formatCursor } from '@sluice/protocol';
import type { NewEntry } from './event-log.js';

// How the embedded log lays out its keys, and the values of its small tables; those of its history: chunk-codec.ts.
// Numbers are big-endian, so that keys sort as offsets do.

const OFFSET_BYTES = 6;
const KEY_HASH_BYTES = 32;
export const LAST_OFFSET = 2 ** (8 * OFFSET_BYTES) - 1;

/**
 * `<workspace> NUL <offset of the last entry>`: what is found from an offset on begins with the chunk that holds it.
 * Workspace names hold no NUL, so no workspace's range reaches into another's.
 */
export function chunkKey(workspace: string, offset: number): Buffer {
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

/** An entry as it goes over the wire. */
export function frameOf(epoch: string, offset: number, { json }: Pick<NewEntry, 'json'>): string {
  return encodeFrame({ id: formatCursor(epoch, offset), data: json });
}

/** What is known of a workspace without reading its history. */
export interface WorkspaceState {
  readonly head: number;
  readonly oldest: number;
  /** Bytes of all frames kept, and of what their chunks hold beside frames. */
  readonly bytes: number;
  /** When the oldest entry kept was appended, in ms since 1970. 0: not known, nothing is kept or it was never noted. */
  readonly oldestAt: number;
}

export const EMPTY_WORKSPACE: WorkspaceState = { head: 0, oldest: 0, bytes: 0, oldestAt: 0 };

const STATE_BYTES = 24;

export function encodeState({ head, oldest, bytes, oldestAt }: WorkspaceState): Buffer {
  const value = Buffer.allocUnsafe(STATE_BYTES);
  value.writeUIntBE(head, 0, 6);
  value.writeUIntBE(oldest, 6, 6);
  value.writeUIntBE(bytes, 12, 6);
  value.writeUIntBE(oldestAt, 18, 6);
  return value;
}

export function decodeState(value: Buffer | undefined): WorkspaceState {
  if (value === undefined) return EMPTY_WORKSPACE;
  return {
    head: value.readUIntBE(0, 6),
    oldest: value.readUIntBE(6, 6),
    bytes: value.readUIntBE(12, 6),
    // The former layout ends here.
    oldestAt: value.length < STATE_BYTES ? 0 : value.readUIntBE(18, 6),
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
