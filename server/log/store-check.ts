import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Of each of the two meta pages at the beginning of an LMDB file (mdb.c, `MDB_meta`, 64 bit, little-endian). */
const META_BYTES = 160;
const MAGIC = { at: 24, value: 0xbeefc0de };
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;

/**
 * Refuses a store whose file was cut short or overwritten: LMDB maps it into memory unseen, and the process would end
 * by a signal and without a word.
 * @throws Error saying what to do
 */
export function checkStore(path: string): void {
  const file = openIfThere(path);
  if (file === null) return;
  try {
    const { size } = fstatSync(file);
    // LMDB makes an empty file a new store.
    if (size > 0 && !isWhole(file, size)) {
      throw new Error(
        `${path} is damaged: restore it from a copy, or remove its folder to begin with an empty history`,
      );
    }
  } finally {
    closeSync(file);
  }
}

function isWhole(file: number, size: number): boolean {
  const first = readMeta(file, 0);
  const pageSize = first?.readUInt32LE(PAGE_SIZE_AT) ?? 0;
  const second = pageSize > 0 ? readMeta(file, pageSize) : null;
  if (first === null || second === null) return false;
  const [newest] = [first, second].sort(
    (a, b) => Number(b.readBigUInt64LE(TRANSACTION_AT)) - Number(a.readBigUInt64LE(TRANSACTION_AT)),
  ) as [Buffer, Buffer];
  return (Number(newest.readBigUInt64LE(LAST_PAGE_AT)) + 1) * pageSize <= size;
}

/** `null` where no meta page is. */
function readMeta(file: number, position: number): Buffer | null {
  const meta = Buffer.alloc(META_BYTES);
  const isThere = readSync(file, meta, 0, META_BYTES, position) === META_BYTES;
  return isThere && meta.readUInt32LE(MAGIC.at) === MAGIC.value ? meta : null;
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
