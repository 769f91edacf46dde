import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StreamTokenLimits } from '../../server/gate/admission/stream-token-limits.js';
import type {
  StreamTokenGrant,
  StreamTokenStore,
} from '../../server/gate/admission/stream-token-store.js';
import { ALICE } from '../support/gate.js';

const LONG_MS = 60_000;
const GENEROUS: StreamTokenLimits = {
  maxTokens: 1_000,
  maxPerWorkspace: 1_000,
  maxPerSubject: 1_000,
};

/** How the suite gets a store. */
export interface StreamTokenStoreDriver {
  /** A store with nothing in it. */
  open(limits: StreamTokenLimits): Promise<StreamTokenStore>;
  dispose(): Promise<void>;
}

export const GRANT: StreamTokenGrant = {
  principal: { ...ALICE, claims: { permissions: ['realtime:subscribe'], role: { a: [1, null] } } },
  workspace: 'acme',
  origin: 'https://app.example',
};

/** A grant of another subject, issuer or workspace. */
export function grantOf(
  subject: string,
  { issuer = ALICE.issuer, workspace = 'acme' } = {},
): StreamTokenGrant {
  return { ...GRANT, workspace, principal: { ...ALICE, issuer, subject } };
}

/** What every adapter of the `StreamTokenStore` port must do. */
export function describeStreamTokenStore(
  name: string,
  createDriver: () => StreamTokenStoreDriver,
): void {
  describe(`${name} as a store of stream tokens`, () => {
    let driver: StreamTokenStoreDriver;
    let store: StreamTokenStore;

    const putMany = async (count: number, grant: StreamTokenGrant, lifetimeMs = LONG_MS) => {
      for (let n = 0; n < count; n++) {
        await store.put(`${grant.workspace} ${grant.principal.subject} ${n}`, grant, lifetimeMs);
      }
    };
    const tooMany = {
      code: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: expect.any(Number),
    };

    beforeEach(async () => {
      driver = createDriver();
      store = await driver.open(GENEROUS);
    });
    afterEach(() => driver.dispose());

    it('gives out what was put in, as it was', async () => {
      await store.put('h1', GRANT, LONG_MS);
      await store.put('h2', { ...GRANT, origin: null }, LONG_MS);
      expect(await store.take('h2')).toEqual({ ...GRANT, origin: null });
      expect(await store.take('h1')).toEqual(GRANT);
    });

    it.each(['unknown', '', '__proto__', 'constructor'])('has nothing for %j', async (hash) => {
      await store.put('h1', GRANT, LONG_MS);
      expect(await store.take(hash)).toBeNull();
    });

    it('gives it out once', async () => {
      await store.put('h1', GRANT, LONG_MS);
      expect(await store.take('h1')).toEqual(GRANT);
      expect(await store.take('h1')).toBeNull();
    });

    it('gives it to one of many that ask at once', async () => {
      await store.put('h1', GRANT, LONG_MS);
      const taken = await Promise.all(Array.from({ length: 50 }, () => store.take('h1')));
      expect(taken.filter((grant) => grant !== null)).toEqual([GRANT]);
    });

    it('gives out nothing whose time is over', async () => {
      await store.put('h1', GRANT, 5);
      await delay(50);
      expect(await store.take('h1')).toBeNull();
    });

    describe('at its bounds', () => {
      it('refuses one more of a subject, and of nobody else', async () => {
        store = await driver.open({ ...GENEROUS, maxPerSubject: 3 });
        await putMany(3, grantOf('alice'));
        await expect(store.put('x', grantOf('alice'), LONG_MS)).rejects.toMatchObject({
          ...tooMany,
          message: 'Too many stream tokens of this subject wait for their use.',
        });
        expect(await store.take('x')).toBeNull();
        await store.put('y', grantOf('alice', { issuer: 'https://other.test' }), LONG_MS);
        await store.put('z', grantOf('bob'), LONG_MS);
        expect(await store.take('acme alice 0')).not.toBeNull();
      });

      it('refuses one more of a workspace, and of no other', async () => {
        store = await driver.open({ ...GENEROUS, maxPerWorkspace: 3 });
        await putMany(2, grantOf('alice'));
        await putMany(1, grantOf('bob'));
        await expect(store.put('x', grantOf('carol'), LONG_MS)).rejects.toMatchObject({
          ...tooMany,
          message: 'Too many stream tokens of this workspace wait for their use.',
        });
        await store.put('y', grantOf('carol', { workspace: 'other' }), LONG_MS);
      });

      it('refuses one more of all, and drops none that it holds', async () => {
        store = await driver.open({ ...GENEROUS, maxTokens: 3 });
        await putMany(1, grantOf('alice'));
        await putMany(1, grantOf('bob'));
        await putMany(1, grantOf('carol', { workspace: 'other' }));
        await expect(store.put('x', grantOf('dave'), LONG_MS)).rejects.toMatchObject({
          ...tooMany,
          message: 'Too many stream tokens of this service wait for their use.',
        });
        for (const hash of ['acme alice 0', 'acme bob 0', 'other carol 0']) {
          expect(await store.take(hash)).not.toBeNull();
        }
      });

      it('has room again for each that is taken, once', async () => {
        store = await driver.open({ ...GENEROUS, maxPerSubject: 2 });
        await putMany(2, GRANT);
        await store.take('acme alice 0');
        await store.take('acme alice 0');
        await store.put('x', GRANT, LONG_MS);
        await expect(store.put('y', GRANT, LONG_MS)).rejects.toMatchObject(tooMany);
      });

      it('has room again for those whose time is over', async () => {
        store = await driver.open({ maxTokens: 2, maxPerWorkspace: 2, maxPerSubject: 2 });
        await putMany(2, GRANT, 5);
        await delay(50);
        await putMany(2, GRANT);
        await expect(store.put('y', GRANT, LONG_MS)).rejects.toMatchObject(tooMany);
      });
    });
  });
}
