import { parseCursor } from '@sluice/protocol';
import { numberOf } from './playground.js';
import type { RawStream } from './raw-http.js';

/** On a busy machine a node may take seconds to reach its Redis again. */
const SEEN_WITHIN_MS = 15_000;

/** A numbered event as a stream brought it. */
export interface SeenEvent {
  readonly n: number;
  readonly cursor: string;
}

/** The numbered events that a stream has brought so far. */
export function eventsOf(stream: RawStream): SeenEvent[] {
  return stream.received.items.flatMap((item) =>
    item.kind === 'event' && item.event === 'message'
      ? [{ n: numberOf(JSON.parse(item.data) as object), cursor: item.id ?? '' }]
      : [],
  );
}

export function numbersOf(stream: RawStream): number[] {
  return eventsOf(stream).map(({ n }) => n);
}

/** The names of the control events that a stream has brought so far. */
export function controlEventsOf(stream: RawStream): string[] {
  return stream.received.items.flatMap((item) =>
    item.kind === 'event' && item.event !== 'message' ? [item.event] : [],
  );
}

/** Resolves once a stream has brought the event of this cursor. */
export async function untilSeen(stream: RawStream, cursor: string | undefined): Promise<void> {
  try {
    await stream.received.find(
      (item) => item.kind === 'event' && item.id === cursor,
      SEEN_WITHIN_MS,
    );
  } catch (cause) {
    const last = JSON.stringify(
      stream.received.items.filter(({ kind }) => kind === 'event').at(-1),
    );
    throw new Error(`${cursor} did not come; the last that came: ${last}`, { cause });
  }
}

/** Whether the cursors of events of one epoch rise. */
export function areInOrder(events: readonly SeenEvent[]): boolean {
  const offsets = events.map(({ cursor }) => parseCursor(cursor)?.offset ?? -1);
  return offsets.every((offset, index) => index === 0 || offset > (offsets[index - 1] as number));
}
