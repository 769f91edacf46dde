import type { Database, RootDatabase } from 'lmdb';

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
