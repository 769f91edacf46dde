import { mkdtempSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { open } from 'lmdb';
import {
  describeRevocationStore,
  type RevocationStoreDriver,
} from '../../../test/contracts/revocation-store.contract.js';
import { openLmdbRevocationStore } from './lmdb-revocation-store.js';
import type { Revocation } from './revocation.js';

const BOB: Revocation = {
  workspace: 'acme',
  kind: 'sub',
  name: 'bob',
  issuer: null,
  before: 1_000,
  revokedAt: 1_000,
};

function createDriver(): RevocationStoreDriver {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-revocations-'));
  return {
    open: async () => openLmdbRevocationStore(folder),
    reopen: async (store) => {
      await store.close();
      return openLmdbRevocationStore(folder);
    },
    dispose: () => rm(folder, { recursive: true }),
  };
}

describeRevocationStore('LMDB', createDriver);

describe('the embedded store of revocations', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'sluice-revocations-')), 'revocations');
  });
  afterEach(async () => {
    await rm(join(folder, '..'), { recursive: true });
  });

  async function fill(): Promise<void> {
    const store = openLmdbRevocationStore(folder);
    await store.add(BOB);
    await store.close();
  }

  it('has a folder of its own, for its owner alone', async () => {
    await fill();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('is refused where its file was cut short, and says what that means', async () => {
    await fill();
    truncateSync(join(folder, 'data.mdb'), 5_000);
    expect(() => openLmdbRevocationStore(folder)).toThrow(
      /revocations in .* cannot be read: restore .* tokens that were revoked enter again/,
    );
  });

  it('is refused where its file is another', async () => {
    await fill();
    writeFileSync(join(folder, 'data.mdb'), 'x'.repeat(100_000));
    expect(() => openLmdbRevocationStore(folder)).toThrow(/cannot be read/);
  });

  it.each(['', '{', '{}', 'null', JSON.stringify({ ...BOB, kind: 'everything' })])(
    'is refused where it holds %j',
    async (text) => {
      await fill();
      const root = open<Buffer, Uint8Array>({
        path: folder,
        encoding: 'binary',
        keyEncoding: 'binary',
        maxDbs: 2,
      });
      const table = root.openDB<Buffer, Uint8Array>('revocations', {
        encoding: 'binary',
        keyEncoding: 'binary',
      });
      table.putSync(Buffer.from('acme\0x'), Buffer.from(text));
      await root.close();
      const store = openLmdbRevocationStore(folder);
      await expect(store.follow(() => {})).rejects.toThrow(/cannot be read/);
      await store.close();
    },
  );
});
