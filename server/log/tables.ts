import type { Database, RootDatabase } from 'lmdb';
import { decodeState } from './entry-codec.js';
import type { LogStats } from './event-log.js';

export type Table = Database<Buffer, Uint8Array>;

/** The tables of the embedded store, laid out by entry-codec.ts and chunk-codec.ts. */
export interface Tables {
  /** The history, in chunks. What is read of it is memory that the next read overwrites. */
  readonly entries: Table;
  /** One row a workspace. */
  readonly states: Table;
  readonly idempotency: Table;
}

/** Values as they lie where the library reads them to, of which it would make a copy otherwise. */
const UNCOPIED = {
  encode: (value: Buffer) => value,
  // The library sets `length` to that of the value; it is not that of the memory.
  decode: (value: Buffer) => value.subarray(0, value.length),
};

export function openTables(root: RootDatabase<Buffer, Uint8Array>): Tables {
  const table = (name: string, options = {}): Table =>
    root.openDB<Buffer, Uint8Array>(name, {
      encoding: 'binary',
      keyEncoding: 'binary',
      ...options,
    });
  return {
    entries: table('entries', { encoder: UNCOPIED }),
    states: table('states'),
    idempotency: table('idempotency'),
  };
}

/** What LMDB says of a table. */
interface TableStats {
  readonly entryCount: number;
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** From what LMDB counts by itself; nothing is looked through. LMDB counts chunks, so who keeps `events` counts them. */
export function statsOf({ entries, states, idempotency }: Tables, events: number): LogStats {
  const stats = [states, entries, idempotency].map((table) => table.getStats() as TableStats);
  const [ofStates] = stats as [TableStats];
  return {
    workspaces: ofStates.entryCount,
    events,
    bytes: stats.reduce((sum, table) => sum + bytesOf(table), 0),
    capacity: null,
  };
}

/** Looks through all workspaces, once at the start: a row a workspace costs less than a microsecond. */
export function countEvents({ states }: Tables): number {
  let events = 0;
  for (const { value } of states.getRange()) {
    const { head, oldest } = decodeState(value);
    events += head - oldest;
  }
  return events;
}

function bytesOf(table: TableStats): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = table;
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
}
