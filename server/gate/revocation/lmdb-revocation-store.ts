import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import { checkStore } from '../../log/store-check.js';
import { transact } from '../../log/transact.js';
import { keyOf, type Revocation, readRevocation, widest } from './revocation.js';
import type { RevocationStore } from './revocation-store.js';

/**
 * The embedded store of revocations, in `folder`. That no other process writes there is for the caller to see to.
 * @throws Error if the folder cannot be used, or what it holds is damaged.
 */
export function openLmdbRevocationStore(folder: string): RevocationStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  checkFile(folder);
  const root = open<Buffer, Uint8Array>({
    path: folder,
    encoding: 'binary',
    keyEncoding: 'binary',
    // LMDB's plain commit: the promise of a transaction resolves when the disk has it.
    overlappingSync: false,
    eventTurnBatching: false,
    maxDbs: 2,
  });
  return new LmdbRevocationStore(folder, root);
}

class LmdbRevocationStore implements RevocationStore {
  private readonly table: Database<Buffer, Uint8Array>;
  private readonly followers: ((revocation: Revocation) => void)[] = [];
  private readonly running = new Set<Promise<void>>();
  private isClosed = false;

  constructor(
    private readonly folder: string,
    private readonly root: RootDatabase<Buffer, Uint8Array>,
  ) {
    this.table = root.openDB<Buffer, Uint8Array>('revocations', {
      encoding: 'binary',
      keyEncoding: 'binary',
    });
  }

  async add(revocation: Revocation): Promise<void> {
    const key = storeKey(revocation);
    let standing = revocation;
    await this.write(() => {
      const kept = this.find(key);
      standing = kept === null ? revocation : widest(revocation, kept);
      this.table.putSync(key, Buffer.from(JSON.stringify(standing)));
    });
    for (const tell of this.followers) tell(standing);
  }

  async follow(tell: (revocation: Revocation) => void): Promise<void> {
    if (this.isClosed) throw unavailable();
    try {
      for (const { value } of this.table.getRange({})) tell(decode(value));
    } catch (cause) {
      throw damaged(this.folder, cause);
    }
    this.followers.push(tell);
  }

  /** The clock of the only node is the clock of the store. */
  async forget(revocations: readonly Revocation[]): Promise<readonly Revocation[]> {
    await this.write(() => {
      for (const revocation of revocations) {
        const key = storeKey(revocation);
        if (this.find(key)?.revokedAt === revocation.revokedAt) this.table.removeSync(key);
      }
    });
    return [];
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await Promise.allSettled(this.running);
    await this.root.close();
  }

  private find(key: Buffer): Revocation | null {
    const value = this.table.get(key);
    return value === undefined ? null : decode(value);
  }

  private async write(work: () => void): Promise<void> {
    if (this.isClosed) throw unavailable();
    const writing = transact(this.root, work);
    this.running.add(writing);
    try {
      await writing;
    } catch (cause) {
      throw unavailable(cause);
    } finally {
      this.running.delete(writing);
    }
  }
}

/** `<workspace> NUL <hash>`: what is revoked may be longer than a key of LMDB. */
function storeKey(revocation: Revocation): Buffer {
  // As JSON, since a lone surrogate would be hashed as any other.
  const hash = createHash('sha256')
    .update(JSON.stringify(keyOf(revocation)))
    .digest();
  return Buffer.concat([Buffer.from(`${revocation.workspace}\0`), hash]);
}

function decode(value: Buffer): Revocation {
  return readRevocation(JSON.parse(value.toString()));
}

function checkFile(folder: string): void {
  try {
    checkStore(join(folder, 'data.mdb'));
  } catch (cause) {
    throw damaged(folder, cause);
  }
}

function damaged(folder: string, cause: unknown): Error {
  return new Error(
    `the revocations in ${folder} cannot be read: restore the folder from a copy, or remove it, after which tokens that were revoked enter again until they expire`,
    { cause },
  );
}

function unavailable(cause?: unknown): SluiceError {
  return new SluiceError('UNAVAILABLE', 'The revocation cannot be kept right now.', {
    cause,
    retryAfterMs: spreadRetryMs(2_000),
  });
}
