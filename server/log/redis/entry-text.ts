import { frameOf } from '../entry-codec.js';
import type { LogEntry, NewEntry } from '../event-log.js';

// Topics, types and JSON of one line hold no line feed, so three lines are an event.

const NO_FRAME = Buffer.alloc(0);

export function encodeEvent({ topic, type, json }: NewEntry): string {
  return `${topic}\n${type}\n${json}`;
}

/** What a message of a workspace's channel tells: a batch, a seam, or only how far the log goes. */
export interface Notification {
  readonly epoch: string;
  /** The offset that it follows on. */
  readonly previous: number;
  readonly last: number;
  readonly entries: readonly LogEntry[];
}

export function decodeNotification(message: Buffer): Notification {
  const lines = message.toString().split('\n');
  const [epoch = '', ...numbers] = (lines[0] ?? '').split(' ');
  const [previous = 0, first = 0, count = 0] = numbers.map(Number);
  // Too much for a message: whoever gets it reads.
  if (count < 0) return { epoch, previous: Number.POSITIVE_INFINITY, last: first, entries: [] };
  if (count === 0) return { epoch, previous, last: first, entries: [seam(first, previous)] };
  const entries = Array.from({ length: count }, (_, index) =>
    entryOf(epoch, first + index, lines.slice(1 + 3 * index, 4 + 3 * index)),
  );
  return { epoch, previous, last: first + count - 1, entries };
}

/** An entry of the stream: its id, and its fields by turns with their values. */
export type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]];

export function decodeEntry(epoch: string, [id, [name, value]]: StreamEntry): LogEntry {
  const offset = Number.parseInt(id.toString(), 10);
  const text = value?.toString() ?? '';
  if (name?.toString() === 's') return seam(offset, Number(text));
  return entryOf(epoch, offset, text.split('\n'));
}

function entryOf(epoch: string, offset: number, lines: readonly string[]): LogEntry {
  const [topic = '', type = '', json = ''] = lines;
  const frame = Buffer.from(frameOf(epoch, offset, { json }));
  return { offset, previous: offset - 1, topic, type, frame };
}

function seam(offset: number, previous: number): LogEntry {
  return { offset, previous, topic: '', type: '', frame: NO_FRAME };
}
