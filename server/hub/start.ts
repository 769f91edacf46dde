import { type Cursor, formatCursor, parseCursor } from '@sluice/protocol';
import { SluiceError } from '../errors.js';
import type { LogEntry, LogExtent } from '../log/event-log.js';
import type { Gap } from './follower.js';

/** Where a stream begins to walk, and what it says of that. */
export interface Start {
  readonly epoch: string;
  readonly offset: number;
  readonly resumed: 'complete' | 'gap' | 'fresh';
  readonly gap: Gap | null;
}

/** The cursor of a request. @throws SluiceError INVALID_REQUEST if it is not one. */
export function readCursor(text: string): Cursor {
  const cursor = parseCursor(text);
  if (cursor === null)
    throw new SluiceError('INVALID_REQUEST', 'The event id to resume from is not a cursor.');
  return cursor;
}

/** Where a stream starts that was last at `cursor`, or that is new. */
export function startAt(cursor: Cursor | null, { epoch, head, oldest }: LogExtent): Start {
  if (cursor === null) return { epoch, offset: head, resumed: 'fresh', gap: null };
  const from = `${cursor.epoch}-${cursor.offset}`;
  const withGap = (offset: number, reason: Gap['reason']): Start => ({
    epoch,
    offset,
    resumed: 'gap',
    gap: { from, epoch, resumesAt: offset, oldest, reason },
  });
  // Another log's events are new to this client, so it gets all that is there.
  if (cursor.epoch !== epoch) return withGap(oldest, 'unknown_epoch');
  // The log has fallen back behind this client, which therefore has seen what is left.
  if (cursor.offset > head) return withGap(head, 'ahead');
  if (cursor.offset < oldest) return withGap(oldest, 'expired');
  return { epoch, offset: cursor.offset, resumed: 'complete', gap: null };
}

/** Where a stream starts whose cursor lies in what a seam passes over. */
export function startBehind({ offset }: LogEntry, { epoch, offset: last }: Cursor): Start {
  const from = formatCursor(epoch, last);
  const gap: Gap = { from, epoch, resumesAt: offset, oldest: offset, reason: 'lost' };
  return { epoch, offset, resumed: 'gap', gap };
}
