import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ALICE } from '../../../test/support/gate.js';
import { SluiceError } from '../../errors.js';
import type { Principal } from '../principal.js';
import { keyOf, type Revocation, widest } from './revocation.js';
import { RevocationList, type RevocationListOptions } from './revocation-list.js';
import type { RevocationStore } from './revocation-store.js';

const NOW = 1_700_000_000_000;
const ISSUER = 'https://issuer.test';
const OPTIONS: RevocationListOptions = {
  tokens: { maxLifetimeSeconds: 3_600, clockToleranceSeconds: 5 },
};
const KEPT_MS = 3_610_000;

/** A store in memory, which a test can let fail, and through which another node can speak. */
class MemoryRevocationStore implements RevocationStore {
  readonly kept = new Map<string, Revocation>();
  readonly followers: ((revocation: Revocation) => void)[] = [];
  held: () => Iterable<Revocation> = () => [];
  isFull = false;
  /** What its own clock keeps. */
  young: readonly Revocation[] = [];

  async add(revocation: Revocation): Promise<void> {
    await Promise.resolve();
    if (this.isFull) throw new SluiceError('UNAVAILABLE');
    const key = `${revocation.workspace}\n${keyOf(revocation)}`;
    const known = this.kept.get(key);
    const standing = known === undefined ? revocation : widest(revocation, known);
    this.kept.set(key, standing);
    for (const tell of this.followers) tell(standing);
  }
  async follow(
    tell: (revocation: Revocation) => void,
    held: () => Iterable<Revocation>,
  ): Promise<void> {
    for (const revocation of this.kept.values()) tell(revocation);
    this.followers.push(tell);
    this.held = held;
  }
  async forget(revocations: readonly Revocation[], keptMs: number): Promise<readonly Revocation[]> {
    if (this.isFull) throw new SluiceError('UNAVAILABLE');
    expect(keptMs).toBe(KEPT_MS);
    for (const revocation of revocations) {
      if (this.young.includes(revocation)) continue;
      const key = `${revocation.workspace}\n${keyOf(revocation)}`;
      if (this.kept.get(key)?.revokedAt === revocation.revokedAt) this.kept.delete(key);
    }
    return this.young;
  }
  async close(): Promise<void> {}
}

let store: MemoryRevocationStore;
let list: RevocationList;

beforeEach(async () => {
  jest.useFakeTimers({ now: NOW });
  store = new MemoryRevocationStore();
  list = await RevocationList.open(store, OPTIONS);
});
afterEach(async () => {
  await list.close();
  jest.useRealTimers();
});

function revocation(parts: Partial<Revocation> = {}): Revocation {
  return {
    workspace: 'acme',
    kind: 'sub',
    name: 'alice',
    issuer: null,
    before: NOW,
    revokedAt: NOW,
    ...parts,
  };
}

/** A token of alice, issued a minute ago. */
function token(parts: Partial<Principal> = {}): Principal {
  return { ...ALICE, issuedAt: NOW / 1_000 - 60, clientId: 'app', tokenId: 'a1', ...parts };
}

describe('a revocation', () => {
  it.each<[string, Partial<Revocation>]>([
    ['its jti', { kind: 'jti', name: 'a1', before: null }],
    ['its subject', {}],
    ['its program', { kind: 'client_id', name: 'app' }],
    ['all', { kind: 'all', name: '' }],
    ['its jti and issuer', { kind: 'jti', name: 'a1', before: null, issuer: ISSUER }],
    ['its subject and issuer', { issuer: ISSUER }],
    ['its program and issuer', { kind: 'client_id', name: 'app', issuer: ISSUER }],
    ['all of its issuer', { kind: 'all', name: '', issuer: ISSUER }],
    ['its subject, until the second of its issue', { before: NOW - 60_000 }],
  ])('by %s refuses a token', async (_, parts) => {
    expect(() => list.check(token(), 'acme')).not.toThrow();
    await list.revoke(revocation(parts));
    expect(() => list.check(token(), 'acme')).toThrow(
      expect.objectContaining({ code: 'INVALID_TOKEN', message: 'The token was revoked.' }),
    );
  });

  it.each<[string, Partial<Revocation>, Partial<Principal>?]>([
    ['another jti', { kind: 'jti', name: 'a2', before: null }],
    ['another case of its jti', { kind: 'jti', name: 'A1', before: null }],
    ['another subject', { name: 'bob' }],
    ['its subject as a jti', { kind: 'jti', name: 'alice', before: null }],
    ['its jti as a subject', { name: 'a1' }],
    ['another program', { kind: 'client_id', name: 'other' }],
    ['another issuer', { issuer: 'https://another.test' }],
    ['all of another issuer', { kind: 'all', name: '', issuer: 'https://another.test' }],
    ['another workspace', { workspace: 'other' }],
    ['a time before its issue', { before: NOW - 60_001 }],
    ['a program, where it has none', { kind: 'client_id', name: '' }, { clientId: null }],
    ['a jti, where it has none', { kind: 'jti', name: 'null', before: null }, { tokenId: null }],
  ])('by %s lets a token be', async (_, parts, claims = {}) => {
    await list.revoke(revocation(parts));
    expect(() => list.check(token(claims), 'acme')).not.toThrow();
  });

  it('refuses a token that does not say when it was issued', async () => {
    await list.revoke(revocation({ before: -1_000 }));
    expect(list.isRevoked(token({ issuedAt: null }), 'acme')).toBe(true);
    expect(list.isRevoked(token(), 'acme')).toBe(false);
  });

  it('is not given back by a narrower one, and is widened by a wider one', async () => {
    await list.revoke(revocation());
    const narrower = await list.revoke(revocation({ before: NOW - 100_000, revokedAt: NOW + 1 }));
    expect(narrower).toEqual(revocation({ revokedAt: NOW + 1 }));
    expect(list.isRevoked(token(), 'acme')).toBe(true);
    const young = token({ issuedAt: NOW / 1_000 + 3 });
    expect(list.isRevoked(young, 'acme')).toBe(false);
    await list.revoke(revocation({ before: NOW + 5_000 }));
    expect(list.isRevoked(young, 'acme')).toBe(true);
  });

  it('stands from the start where the store kept it', async () => {
    await list.revoke(revocation());
    const again = await RevocationList.open(store, OPTIONS);
    expect(again.isRevoked(token(), 'acme')).toBe(true);
    await again.close();
  });

  it('counts where another node made it', () => {
    for (const tell of store.followers) tell(revocation());
    expect(list.isRevoked(token(), 'acme')).toBe(true);
    for (const tell of store.followers) tell(revocation({ before: NOW - 100_000 }));
    expect(list.isRevoked(token(), 'acme')).toBe(true);
  });

  it('is told of by its workspace, when it counts already', async () => {
    const told: [string, boolean][] = [];
    list.onRevoked((workspace) => told.push([workspace, list.isRevoked(token(), workspace)]));
    await list.revoke(revocation());
    await list.revoke(revocation({ workspace: 'other' }));
    expect(told).toEqual([
      ['acme', true],
      ['other', true],
    ]);
  });

  it('that is told of again is told on to nobody', async () => {
    await list.revoke(revocation());
    const told: string[] = [];
    list.onRevoked((workspace) => told.push(workspace));
    for (const tell of store.followers) tell(revocation({ before: NOW - 100_000 }));
    expect(told).toEqual([]);
    expect(list.isRevoked(token(), 'acme')).toBe(true);
  });

  it('that cannot be kept changes nothing', async () => {
    store.isFull = true;
    await expect(list.revoke(revocation())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(list.isRevoked(token(), 'acme')).toBe(false);
    store.isFull = false;
    await list.revoke(revocation());
    expect(list.isRevoked(token(), 'acme')).toBe(true);
  });
});

describe('what is too old to matter', () => {
  it('is forgotten by the list and by the store, and not before', async () => {
    await list.revoke(revocation());
    expect(list.forgottenAt(revocation())).toBe(NOW + KEPT_MS);
    jest.setSystemTime(NOW + KEPT_MS - 1);
    await list.sweep();
    expect(list.isRevoked(token(), 'acme')).toBe(true);
    expect(store.kept.size).toBe(1);
    jest.setSystemTime(NOW + KEPT_MS);
    await list.sweep();
    expect(list.isRevoked(token(), 'acme')).toBe(false);
    expect(store.kept.size).toBe(0);
  });

  it('is counted from the time until which tokens are revoked, where that lies ahead', () => {
    const ahead = revocation({ before: NOW + 5_000 });
    expect(list.forgottenAt(ahead)).toBe(NOW + 5_000 + KEPT_MS);
    const past = revocation({ before: NOW - 5_000 });
    expect(list.forgottenAt(past)).toBe(NOW + KEPT_MS);
  });

  it('is looked for once a minute', async () => {
    await list.revoke(revocation());
    await jest.advanceTimersByTimeAsync(KEPT_MS + 60_000);
    expect(store.kept.size).toBe(0);
  });

  it('stays where the store cannot drop it, until it can', async () => {
    await list.revoke(revocation());
    jest.setSystemTime(NOW + KEPT_MS);
    store.isFull = true;
    await list.sweep();
    expect(list.isRevoked(token(), 'acme')).toBe(true);
    store.isFull = false;
    await list.sweep();
    expect(list.isRevoked(token(), 'acme')).toBe(false);
  });

  it('stays where it is too old by the clock of this node alone', async () => {
    const young = revocation();
    await list.revoke(young);
    await list.revoke(revocation({ name: 'bob' }));
    store.young = [young];
    jest.setSystemTime(NOW + KEPT_MS);
    await list.sweep();
    expect([...store.held()]).toEqual([young]);
    expect(list.isRevoked(token(), 'acme')).toBe(true);
    store.young = [];
    await list.sweep();
    expect(list.isRevoked(token(), 'acme')).toBe(false);
  });

  it('is not held any more for a store that has lost it', async () => {
    await list.revoke(revocation());
    expect([...store.held()]).toEqual([revocation()]);
    jest.setSystemTime(NOW + KEPT_MS);
    await list.sweep();
    expect([...store.held()]).toEqual([]);
  });

  it('stays where it is asked for anew while it is being forgotten', async () => {
    await list.revoke(revocation());
    const later = NOW + KEPT_MS;
    jest.setSystemTime(later);
    const again = revocation({ before: later, revokedAt: later });
    await Promise.all([list.sweep(), list.revoke(again)]);
    expect(list.isRevoked(token(), 'acme')).toBe(true);
    expect([...store.kept.values()]).toEqual([again]);
  });

  it('is forgotten in any number', async () => {
    jest.useRealTimers();
    for (let n = 0; n < 3_000; n++) {
      await list.revoke(revocation({ name: `s${n}`, workspace: `w${n % 7}` }));
    }
    await list.revoke(revocation({ revokedAt: Date.now() }));
    await list.sweep();
    expect([...store.kept.values()].map(({ name }) => name)).toEqual(['alice']);
  });
});

describe('a bound of revocations', () => {
  const bounded = (inWorkspace: number, inAll: number) =>
    RevocationList.open(store, { ...OPTIONS, bounds: { inWorkspace, inAll } });

  it('of a workspace refuses one more, drops none, and leaves room for all and for what stands', async () => {
    await withList(await bounded(3, 100), async (few) => {
      for (const name of ['a', 'b', 'alice']) await few.revoke(revocation({ name }));
      await expect(few.revoke(revocation({ name: 'd' }))).rejects.toMatchObject({
        code: 'RATE_LIMIT_EXCEEDED',
        message: 'This workspace has as many revocations as it may; revoke "all" instead.',
        retryAfterMs: expect.any(Number),
      });
      expect(few.isRevoked(token(), 'acme')).toBe(true);
      await few.revoke(revocation({ name: 'a', before: NOW + 1 }));
      await few.revoke(revocation({ kind: 'all', name: '' }));
      await few.revoke(revocation({ name: 'd', workspace: 'other' }));
    });
  });

  it('of the service refuses one more, whatever its workspace', async () => {
    await withList(await bounded(10, 3), async (few) => {
      for (const workspace of ['a', 'b', 'c']) await few.revoke(revocation({ workspace }));
      await expect(few.revoke(revocation({ workspace: 'd' }))).rejects.toMatchObject({
        code: 'RATE_LIMIT_EXCEEDED',
        message: 'This service has as many revocations as it may; revoke "all" instead.',
      });
    });
  });

  it('holds for those that come at once', async () => {
    await withList(await bounded(5, 100), async (few) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) => few.revoke(revocation({ name: `s${n}` }))),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
      expect(store.kept.size).toBe(5);
    });
  });

  it('has room again when the old ones are forgotten', async () => {
    await withList(await bounded(1, 1), async (few) => {
      await few.revoke(revocation());
      jest.setSystemTime(NOW + KEPT_MS);
      await few.sweep();
      await few.revoke(revocation({ name: 'b' }));
    });
  });

  it('holds for what waits for a store that hangs', async () => {
    let goOn: () => void = () => {};
    const hanging = new Promise<void>((resolve) => (goOn = resolve));
    store.add = () => hanging;
    const waiting = Array.from({ length: 1_000 }, () => list.revoke(revocation()));
    await expect(list.revoke(revocation({ kind: 'all', name: '' }))).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
    });
    goOn();
    await Promise.all(waiting);
  });
});

async function withList(
  one: RevocationList,
  work: (one: RevocationList) => Promise<void>,
): Promise<void> {
  try {
    await work(one);
  } finally {
    await one.close();
  }
}
