import type { Database, RootDatabase } from 'lmdb';
import type { LogStats } from './event-log.js';

type Table = Database<Buffer, Uint8Array>;

/** The tables of the embedded store, laid out by entry-codec.ts. */
export interface Tables {
  readonly entries: Table;
  /** One row a workspace. */
  readonly states: Table;
  readonly idempotency: Table;
}

export function openTables(root: RootDatabase<Buffer, Uint8Array>): Tables {
  const table = (name: string): Table =>
    root.openDB<Buffer, Uint8Array>(name, { encoding: 'binary', keyEncoding: 'binary' });
  return {
    entries: table('entries'),
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

/** From what LMDB counts by itself; nothing is looked through. */
export function statsOf({ entries, states, idempotency }: Tables): LogStats {
  const stats = [entries, states, idempotency].map((table) => table.getStats() as TableStats);
  const [ofEntries, ofStates] = stats as [TableStats, TableStats];
  return {
    workspaces: ofStates.entryCount,
    events: ofEntries.entryCount,
    bytes: stats.reduce((sum, table) => sum + bytesOf(table), 0),
    capacity: null,
  };
}

function bytesOf(table: TableStats): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = table;
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
}
