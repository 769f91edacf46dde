import { randomBytes } from 'node:crypto';
import type { Database, RootDatabase } from 'lmdb';
import type { OwnerRegister } from './folder-owner.js';

/** What is said of the store as a whole. */
type Meta = Database<Buffer, string>;

export function openMeta(root: RootDatabase<Buffer, Uint8Array>): Meta {
  return root.openDB<Buffer, string>('meta', {
    encoding: 'binary',
    keyEncoding: 'ordered-binary',
  });
}

/** The identity of the log: a log made anew has another one, so that its cursors are told from the old ones. */
export function logIdOf(meta: Meta): Buffer {
  return meta.transactionSync(() => {
    const known = meta.get('log-id');
    if (known !== undefined) return known;
    const id = randomBytes(16);
    meta.putSync('log-id', id);
    return id;
  });
}

/** Who owns the folder of the store. */
export function ownerRegister(meta: Meta): OwnerRegister {
  const read = () => meta.get('owner')?.toString() ?? null;
  return {
    read,
    // An LMDB write transaction excludes those of all other processes.
    exchange: (seen, next) =>
      meta.transactionSync(() => {
        if (read() !== seen) return false;
        if (next === null) meta.removeSync('owner');
        else meta.putSync('owner', Buffer.from(next));
        return true;
      }),
  };
}
