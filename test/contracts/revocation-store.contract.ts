import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Revocation } from '../../server/gate/revocation/revocation.js';
import type { RevocationStore } from '../../server/gate/revocation/revocation-store.js';

/** How the suite gets a store and puts it through its life. */
export interface RevocationStoreDriver {
  /** A store with nothing in it. */
  open(): Promise<RevocationStore>;
  /** Closes the store and opens it anew over what it kept. */
  reopen(store: RevocationStore): Promise<RevocationStore>;
  dispose(): Promise<void>;
}

const BOB: Revocation = {
  workspace: 'acme',
  kind: 'sub',
  name: 'bob',
  issuer: null,
  before: 1_000,
  revokedAt: 1_000,
};

/** Less than what lies between the times in these tests and now. */
const KEPT_MS = 3_600_000;

function inOrder(revocations: readonly Revocation[]): Revocation[] {
  return revocations.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** What every adapter of the `RevocationStore` port must do. */
export function describeRevocationStore(
  name: string,
  createDriver: () => RevocationStoreDriver,
): void {
  describe(`${name} as a revocation store`, () => {
    let driver: RevocationStoreDriver;
    let store: RevocationStore;

    beforeEach(async () => {
      driver = createDriver();
      store = await driver.open();
    });
    afterEach(async () => {
      await store.close();
      await driver.dispose();
    });

    /** Everything that is kept. */
    async function kept(): Promise<Revocation[]> {
      const told: Revocation[] = [];
      await store.follow((revocation) => told.push(revocation));
      return inOrder(told);
    }

    it('keeps nothing in the beginning', async () => {
      expect(await kept()).toEqual([]);
    });

    it('keeps what it is given, as it is, over its end', async () => {
      const given: Revocation[] = [
        BOB,
        { ...BOB, kind: 'client_id' },
        { ...BOB, kind: 'jti', before: null },
        { ...BOB, kind: 'all', name: '' },
        { ...BOB, issuer: 'https://issuer.test' },
        { ...BOB, workspace: 'other' },
        { ...BOB, workspace: 'acm', name: 'e\u0000sub' },
        { ...BOB, name: '__proto__' },
        { ...BOB, name: '\u00e9\u{1f600}\n"\\'.repeat(40) },
        { ...BOB, name: 'a\ud800' },
        { ...BOB, name: 'a\ud801' },
        { ...BOB, name: 'Bob' },
        { ...BOB, name: 'bob ' },
      ];
      for (const revocation of given) await store.add(revocation);
      expect(await kept()).toEqual(inOrder(given));
      store = await driver.reopen(store);
      expect(await kept()).toEqual(inOrder(given));
    });

    it('keeps one of each thing, the widest, in whatever order they come', async () => {
      await store.add({ ...BOB, before: 5_000, revokedAt: 5_000 });
      await store.add({ ...BOB, before: 2_000, revokedAt: 6_000 });
      expect(await kept()).toEqual([{ ...BOB, before: 5_000, revokedAt: 6_000 }]);
      store = await driver.reopen(store);
      await store.add({ ...BOB, before: 7_000, revokedAt: 4_000 });
      expect(await kept()).toEqual([{ ...BOB, before: 7_000, revokedAt: 6_000 }]);
    });

    it('keeps the widest of those that come at once', async () => {
      const times = Array.from({ length: 50 }, (_, n) => ((n * 37) % 50) + 1);
      await Promise.all(times.map((before) => store.add({ ...BOB, before, revokedAt: before })));
      expect(await kept()).toEqual([{ ...BOB, before: 50, revokedAt: 50 }]);
    });

    it('has told its followers of what it keeps when an addition is done', async () => {
      const told: Revocation[] = [];
      await store.follow((revocation) => told.push(revocation));
      await store.add(BOB);
      expect(told).toEqual([BOB]);
      await store.add({ ...BOB, before: 500, revokedAt: 1_500 });
      expect(told.at(-1)).toEqual({ ...BOB, before: 1_000, revokedAt: 1_500 });
    });

    it('forgets what it is told to, and nothing else', async () => {
      const jim = { ...BOB, name: 'jim' };
      const elsewhere = { ...BOB, workspace: 'other' };
      for (const revocation of [BOB, jim, elsewhere]) await store.add(revocation);
      await store.forget([BOB, { ...BOB, name: 'nobody' }], KEPT_MS);
      expect(await kept()).toEqual(inOrder([jim, elsewhere]));
      store = await driver.reopen(store);
      expect(await kept()).toEqual(inOrder([jim, elsewhere]));
    });

    it('does not forget what was asked for anew meanwhile', async () => {
      await store.add(BOB);
      const again = { ...BOB, before: 9_000, revokedAt: 9_000 };
      await Promise.all([store.add(again), store.forget([BOB], KEPT_MS)]);
      expect(await kept()).toEqual([again]);
    });

    it('keeps many', async () => {
      const many = Array.from({ length: 3_000 }, (_, n) => ({ ...BOB, name: `subject-${n}` }));
      await Promise.all(many.map((revocation) => store.add(revocation)));
      store = await driver.reopen(store);
      expect(await kept()).toEqual(inOrder(many));
      await store.forget(many, KEPT_MS);
      expect(await kept()).toEqual([]);
    });

    it('finishes the additions under way when it closes', async () => {
      const names = Array.from({ length: 20 }, (_, n) => ({ ...BOB, name: `subject-${n}` }));
      const pending = names.map((revocation) => store.add(revocation));
      await store.close();
      await Promise.all(pending);
      store = await driver.reopen(store);
      expect(await kept()).toEqual(inOrder(names));
    });

    it('refuses work after its close', async () => {
      await store.close();
      const unavailable = { code: 'UNAVAILABLE' };
      await expect(store.add(BOB)).rejects.toMatchObject(unavailable);
      await expect(store.forget([BOB], KEPT_MS)).rejects.toMatchObject(unavailable);
      await expect(store.follow(() => {})).rejects.toMatchObject(unavailable);
      await expect(store.close()).resolves.toBeUndefined();
    });
  });
}
