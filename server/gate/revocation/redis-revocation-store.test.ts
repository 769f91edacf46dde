import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { describeRevocationStore } from '../../../test/contracts/revocation-store.contract.js';
import { Inbox } from '../../../test/support/inbox.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import { readConfig } from '../../config.js';
import { openRedis } from '../../redis/open-redis.js';
import type { Redis } from '../../redis/redis.js';
import { decodeRevocation } from './redis/revocation-text.js';
import { RedisRevocationStore } from './redis-revocation-store.js';
import type { Revocation } from './revocation.js';

const BOB: Revocation = {
  workspace: 'acme',
  kind: 'sub',
  name: 'bob',
  issuer: null,
  before: 1_000,
  revokedAt: 1_000,
};
const JIM = { ...BOB, name: 'jim' };

/** For thousands of additions at once, on a machine that does other things. */
const PATIENT_MS = 15_000;
/** How long a node may not know of a revocation. */
const TOLD_WITHIN_MS = 1_000;
/** How long they matter. */
const KEPT_MS = 3_600_000;

describeWith('redis-server', 'revocations in Redis', () => {
  let server: RedisServer;
  const opened: { close(): Promise<void> }[] = [];

  async function connect(deadlineMs = 2_000): Promise<Redis> {
    const env = { REDIS_URL: server.url, REDIS_DEADLINE_MS: String(deadlineMs) };
    const { redis: settings } = readConfig(env);
    if (settings === null) throw new Error('no Redis');
    const redis = await openRedis({ settings, onFailure: () => {} });
    opened.push(redis);
    return redis;
  }

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const part of opened.splice(0).reverse()) await part.close();
    const redis = await connect();
    await redis.call('FLUSHALL');
    await opened.pop()?.close();
  });

  function storeOn(redis: Redis, failures: unknown[] = []): RedisRevocationStore {
    const store = new RedisRevocationStore({ redis, onFailure: (error) => failures.push(error) });
    opened.push(store);
    return store;
  }

  interface Node {
    readonly redis: Redis;
    readonly store: RedisRevocationStore;
    readonly told: Inbox<Revocation>;
    readonly failures: unknown[];
  }

  /** A store with a follower that holds what it was told. */
  async function openNode(change: (redis: Redis) => Redis = (redis) => redis): Promise<Node> {
    const redis = await connect();
    const failures: unknown[] = [];
    const store = storeOn(change(redis), failures);
    const told = new Inbox<Revocation>('a revocation');
    const held = new Map<string, Revocation>();
    await store.follow(
      (revocation) => {
        held.set(revocation.name, revocation);
        told.push(revocation);
      },
      () => held.values(),
    );
    return { redis, store, told, failures };
  }

  async function keptIn(redis: Redis): Promise<Revocation[]> {
    const told: Revocation[] = [];
    await storeOn(redis).follow((revocation) => told.push(revocation));
    return told;
  }

  const named = (name: string) => (revocation: Revocation) => revocation.name === name;

  describeRevocationStore('Redis', () => ({
    open: async () => storeOn(await connect(PATIENT_MS)),
    reopen: async (store) => {
      await store.close();
      return storeOn(await connect(PATIENT_MS));
    },
    dispose: async () => {},
  }));

  it('are told of at every node, once', async () => {
    const [here, there] = await Promise.all([openNode(), openNode()]);
    await here.store.add(BOB);
    await there.told.find(named('bob'), TOLD_WITHIN_MS);
    await there.store.add({ ...JIM, before: null });
    await here.told.find(named('jim'), TOLD_WITHIN_MS);
    for (const { told } of [here, there]) {
      expect(told.items).toEqual([BOB, { ...JIM, before: null }]);
    }
  });

  it('are told of within a second where every message is lost', async () => {
    const deaf = (redis: Redis): Redis =>
      Object.create(redis, { subscribe: { value: async () => () => {} } });
    const [here, there] = await Promise.all([openNode(), openNode(deaf)]);
    await here.store.add(BOB);
    await there.told.find(named('bob'), TOLD_WITHIN_MS);
  });

  it('are told of at once where messages arrive', async () => {
    const [here, there] = await Promise.all([openNode(), openNode()]);
    const startedAt = performance.now();
    for (let n = 0; n < 20; n++) {
      await here.store.add({ ...BOB, name: `s${n}` });
      await there.told.find(named(`s${n}`));
    }
    // Twenty looks would take ten seconds.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  /** Hears no messages; what is to be done after a break is done when the test calls it. */
  async function openDeafNode(): Promise<Node & { restore(): Promise<void> }> {
    const hooks: (() => Promise<void>)[] = [];
    const node = await openNode((redis) =>
      Object.create(redis, {
        subscribe: { value: async () => () => {} },
        onRestored: { value: (hook: () => Promise<void>) => hooks.push(hook) },
      }),
    );
    const restore = async () => {
      for (const hook of hooks) await hook();
    };
    return { ...node, restore };
  }

  it('that were missed are all told of when what is done after a break is done', async () => {
    const here = await openNode();
    const there = await openDeafNode();
    const many = Array.from({ length: 600 }, (_, n) => ({ ...BOB, name: `s${n}` }));
    await Promise.all(many.map((one) => here.store.add(one)));
    await here.store.add(BOB);
    await there.restore();
    expect(there.told.items).toHaveLength(601);
  });

  it('are told of within a second after a restart of Redis, and not added while it is away', async () => {
    const [here, there] = await Promise.all([openNode(), openNode()]);
    await here.store.add(JIM);
    await there.told.find(named('jim'));
    await server.kill();
    await expect(here.store.add(BOB)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryAfterMs: expect.any(Number),
    });
    expect(here.told.items).toEqual([JIM]);
    await server.start();
    await here.store.add(BOB);
    await there.told.find(named('bob'), TOLD_WITHIN_MS);
    expect((await keptIn(here.redis)).toSorted(byName)).toEqual([BOB, JIM]);
  });

  it('that Redis has lost are put back by whoever holds them, and told of anew', async () => {
    const here = await openNode();
    await here.store.add(BOB);
    await here.store.add({ ...JIM, before: null });
    await here.redis.call('FLUSHALL');
    const there = await openNode();
    await there.told.find(named('bob'));
    await there.told.find(named('jim'));
    expect((await keptIn(there.redis)).toSorted(byName)).toEqual([BOB, { ...JIM, before: null }]);
  });

  it('that a server with older data has given other places to are told of', async () => {
    const here = await openNode();
    const there = await openDeafNode();
    for (const name of ['a', 'b', 'c']) await here.store.add({ ...BOB, name });
    await there.restore();
    // As after a fail-over to a replica that has the first one alone.
    await rewindTo(here.redis, 1);
    await here.store.add({ ...BOB, name: 'd' });
    await there.restore();
    expect(there.told.items.some(named('d'))).toBe(true);
    for (const name of ['b', 'c']) await keptBecomes(here.redis, name);
  });

  it('are widened, not replaced, by what is put back', async () => {
    const redis = await connect();
    await storeOn(redis).follow(
      () => {},
      () => [{ ...BOB, before: 5_000, revokedAt: 5_000 }, JIM],
    );
    const other = storeOn(await connect());
    await redis.call('FLUSHALL');
    await other.add({ ...BOB, before: 9_000, revokedAt: 9_000 });
    const kept = await until('all is put back', async () => {
      const standing = await keptIn(redis);
      return standing.length === 2 && standing;
    });
    expect(kept.toSorted(byName)).toEqual([{ ...BOB, before: 9_000, revokedAt: 9_000 }, JIM]);
  });

  it('leave nothing in Redis when they are forgotten, but the place that was reached', async () => {
    const { store, redis } = await openNode();
    const many = Array.from({ length: 1_200 }, (_, n) => ({ ...BOB, name: `s${n}` }));
    await Promise.all(many.map((one) => store.add(one)));
    await store.forget(many, KEPT_MS);
    expect((await redis.call('KEYS', '*')) as Buffer[]).toEqual([
      Buffer.from('sluice:revocations:{all}:meta'),
    ]);
    await store.add(BOB);
    expect(await keptIn(redis)).toEqual([BOB]);
  });

  it('that matter by the clock of Redis are not forgotten for a node whose clock is ahead', async () => {
    const { store, redis } = await openNode();
    const young = { ...BOB, revokedAt: Date.now() - KEPT_MS / 2 };
    const ofLater = { ...JIM, before: Date.now() - KEPT_MS / 2 };
    const old = { ...JIM, name: 'old', before: null };
    for (const one of [young, ofLater, old]) await store.add(one);
    expect(await store.forget([young, old, ofLater], KEPT_MS)).toEqual([young, ofLater]);
    expect((await keptIn(redis)).toSorted(byName)).toEqual([young, ofLater]);
    expect(await store.forget([young, ofLater], KEPT_MS / 4)).toEqual([]);
    expect(await keptIn(redis)).toEqual([]);
  });

  describe('where Redis is full', () => {
    afterEach(() => server.ask('CONFIG', 'SET', 'maxmemory', '0'));

    it('are kept and told of all the same', async () => {
      const [here, there] = await Promise.all([openNode(), openNode()]);
      await server.ask('CONFIG', 'SET', 'maxmemory', '1');
      await expect(here.redis.call('SET', 'x', 'y')).rejects.toThrow();
      await here.store.add(BOB);
      await there.told.find(named('bob'), TOLD_WITHIN_MS);
      expect(await keptIn(here.redis)).toEqual([BOB]);
    });

    it('are put back all the same', async () => {
      const here = await openNode();
      await here.store.add(BOB);
      await server.ask('CONFIG', 'SET', 'maxmemory', '1');
      await here.redis.call('FLUSHALL');
      await keptBecomes(here.redis, 'bob');
    });
  });

  describe('where something else lies among them', () => {
    const junk = ['kept', 'order'].map((part) => `sluice:revocations:{all}:${part}`) as [
      string,
      string,
    ];

    it('are refused at the start, and it is said what that means', async () => {
      const redis = await connect();
      await storeOn(redis).add(BOB);
      await redis.call('HSET', junk[0], 'x', '- 1 {"kind":"everything"}');
      await redis.call('ZADD', junk[1], 7, 'x');
      await expect(keptIn(redis)).rejects.toThrow(
        /revocations in Redis cannot be read: .* tokens that were revoked enter again/,
      );
    });

    it('go on at a node that runs, which says so', async () => {
      const [here, there] = await Promise.all([openNode(), openNode()]);
      await here.redis.call('HSET', junk[0], 'x', 'y');
      await here.redis.call('ZADD', junk[1], 1, 'x');
      await here.redis.call('HSET', 'sluice:revocations:{all}:meta', 'head', 1);
      await here.store.add(BOB);
      await there.told.find(named('bob'), TOLD_WITHIN_MS);
      expect(there.failures).toHaveLength(1);
    });
  });

  it.each(['', '- 1', '- x {}', 'x 1 {}', '- 1 null'])('are never made of %j', (text) => {
    expect(() => decodeRevocation(text)).toThrow();
  });

  /** Takes away what has a place behind `place`, under another epoch, as a server of another history has it. */
  async function rewindTo(redis: Redis, place: number): Promise<void> {
    const [kept, order, meta] = ['kept', 'order', 'meta'].map(
      (part) => `sluice:revocations:{all}:${part}`,
    ) as [string, string, string];
    const gone = (await redis.call('ZRANGE', order, `(${place}`, '+inf', 'BYSCORE')) as Buffer[];
    await redis.call('HDEL', kept, ...gone);
    await redis.call('ZREM', order, ...gone);
    await redis.call('HSET', meta, 'head', place, 'epoch', 'another');
  }

  /** Resolves when a node that starts now is told of it. */
  async function keptBecomes(redis: Redis, name: string): Promise<void> {
    const told = new Inbox<Revocation>(`the revocation of ${name}`);
    await storeOn(redis).follow((revocation) => told.push(revocation));
    await told.find(named(name));
  }
});

function byName(one: Revocation, other: Revocation): number {
  return one.name < other.name ? -1 : 1;
}
