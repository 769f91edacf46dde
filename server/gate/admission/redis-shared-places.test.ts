import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RedisCluster } from '../../../test/support/redis-cluster.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import { readConfig } from '../../config.js';
import { openRedis } from '../../redis/open-redis.js';
import type { Redis } from '../../redis/redis.js';
import type { Occupant } from './places.js';
import { COUNT } from './redis/places-scripts.js';
import { RedisSharedPlaces } from './redis-shared-places.js';

const NODES = 'sluice:places:{nodes}';
const LIMITS = { maxStreamsPerSubject: 3, maxStreamsPerWorkspace: 5 };

/** One node, as far as it counts with others. */
interface Node {
  readonly redis: Redis;
  readonly places: RedisSharedPlaces;
}

function occupant(subject = 'alice', workspace = 'acme'): Occupant {
  return { issuer: 'https://issuer.test', subject, workspace, network: '192.0.2.1' };
}

describeWith('redis-server', 'places that nodes share in Redis', () => {
  let server: RedisServer;
  const open: Node[] = [];
  let a: Node;
  let b: Node;

  async function startNode(limits: Partial<typeof LIMITS> = {}, url = server.url): Promise<Node> {
    const { redis: settings } = readConfig({ REDIS_URL: url, REDIS_DEADLINE_MS: '500' });
    if (settings === null) throw new Error('no Redis');
    const redis = await openRedis({ settings, onFailure: () => {} });
    const places = await RedisSharedPlaces.open({ redis, limits: { ...LIMITS, ...limits } });
    const node = { redis, places };
    open.push(node);
    return node;
  }
  async function endAll(): Promise<void> {
    for (const { places, redis } of open.splice(0)) {
      await places.close();
      await redis.close();
    }
  }
  /** Of so many takes at once, spread over the nodes: how many got a place. */
  async function takeMany(count: number, who = occupant(), nodes = [a, b]): Promise<number> {
    const takes = Array.from({ length: count }, (_, n) =>
      nodes[n % nodes.length]?.places.take(who),
    );
    const outcomes = await Promise.allSettled(takes);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
      }
    }
    return outcomes.filter(({ status }) => status === 'fulfilled').length;
  }
  /** The names of nodes whose leases stand, the one that was renewed first before the others. */
  const alive = async () => {
    const [seconds] = (await server.ask('TIME')) as [string];
    return (await server.ask('ZRANGE', NODES, `${seconds}000`, '+inf', 'BYSCORE')) as string[];
  };
  /** Ends the lease of a node as time would. */
  async function endLease(node: Node): Promise<void> {
    const before = new Set(await alive());
    const name = (node.places as unknown as { lease: { name: string } }).lease.name;
    expect(before.has(name)).toBe(true);
    const [seconds] = (await server.ask('TIME')) as [string];
    await server.ask('ZADD', NODES, String(Number(seconds) * 1_000 - 1_000), name);
  }

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await server.ask('FLUSHALL');
    [a, b] = [await startNode(), await startNode()];
  });
  afterEach(endAll);

  it.each([
    ['subject', 3, () => occupant('alice', 'acme'), 'The subject has as many streams as it may.'],
    [
      'workspace',
      5,
      (n: number) => occupant(`s${n}`),
      'The workspace has as many streams as it may.',
    ],
  ])(
    'are as many of a %s as it may have, however many ask at once',
    async (_, most, who, detail) => {
      const takes = Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).places.take(who(n)));
      const outcomes = await Promise.allSettled(takes);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(most);
      await expect(a.places.take(who(99))).rejects.toMatchObject({
        code: 'RATE_LIMIT_EXCEEDED',
        message: detail,
        retryAfterMs: expect.any(Number),
      });
      await expect(b.places.take(occupant('other', 'another'))).resolves.toBeUndefined();
    },
  );

  it('are free for every node once they were given back', async () => {
    expect(await takeMany(10)).toBe(3);
    await endAll();
    [a, b] = [await startNode(), await startNode()];
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    expect(await takeMany(1, occupant(), [b])).toBe(0);
    a.places.give(occupant());
    a.places.give(occupant());
    await a.places.settle();
    expect(await takeMany(5, occupant(), [b])).toBe(2);
  });

  it('of a subject are not taken by those whom the workspace has no room for', async () => {
    for (let n = 0; n < 5; n++) await a.places.take(occupant(`s${n}`));
    for (let n = 0; n < 10; n++) {
      await expect(b.places.take(occupant())).rejects.toThrow('The workspace');
    }
    await b.places.settle();
    expect(await takeMany(5, occupant('alice', 'other'))).toBe(3);
  });

  it('are counted for what has a limit alone', async () => {
    const [free] = [await startNode({ maxStreamsPerSubject: null as unknown as number })];
    for (let n = 0; n < 5; n++) await free.places.take(occupant());
    await expect(free.places.take(occupant())).rejects.toThrow('The workspace');
  });

  it('keep nothing of what nobody occupies, and nothing in Redis for ever', async () => {
    for (let n = 0; n < 50; n++) await a.places.take(occupant(`s${n}`, `w${n}`));
    expect(a.places.countsKept).toBe(100);
    for (let n = 0; n < 50; n++) a.places.give(occupant(`s${n}`, `w${n}`));
    await a.places.settle();
    expect(a.places.countsKept).toBe(0);
    const keys = (await server.ask('KEYS', '*:subject')) as string[];
    expect(keys).toHaveLength(50);
    for (const key of keys) expect(Number(await server.ask('PTTL', key))).toBeLessThan(60_001);
    expect(keys.join()).not.toContain('s1:');
  });

  it('of a node that died are free when its lease has ended, and not before', async () => {
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    await b.places.renew();
    expect(await takeMany(3, occupant(), [b])).toBe(0);
    await endLease(a);
    await b.places.renew();
    expect(await takeMany(5, occupant(), [b])).toBe(3);
  });

  it('of a node that has ended are free at once', async () => {
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    await a.places.close();
    await expect(a.places.take(occupant('bob'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await b.places.renew();
    expect(await takeMany(5, occupant(), [b])).toBe(3);
  });

  it('of a node that was taken for dead are counted anew when it is back', async () => {
    expect(await takeMany(2, occupant(), [a])).toBe(2);
    await endLease(a);
    await b.places.renew();
    expect(await takeMany(1, occupant(), [b])).toBe(1);
    await a.places.renew();
    expect(await takeMany(4, occupant(), [b])).toBe(0);
    a.places.give(occupant());
    await a.places.settle();
    expect(await takeMany(4, occupant(), [b])).toBe(1);
  });

  it('of all nodes stand while Redis is away, however long', async () => {
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    for (const node of [a, b]) await endLease(node);
    const [seconds] = (await server.ask('TIME')) as [string];
    await server.ask('SET', `${NODES}:renewed`, String((Number(seconds) - 60) * 1_000));
    for (const name of (await server.ask('ZRANGE', NODES, '0', '-1')) as string[]) {
      await server.ask('ZINCRBY', NODES, '-52000', name);
    }
    await b.places.renew();
    expect(await takeMany(3, occupant(), [b])).toBe(0);
    expect(await alive()).toHaveLength(2);
  });

  it('of all nodes stand when the clock of Redis is put back, and no longer than their leases', async () => {
    const [seconds] = (await server.ask('TIME')) as [string];
    const dayMs = 86_400_000;
    await server.ask('SET', `${NODES}:renewed`, String(Number(seconds) * 1_000 + dayMs));
    for (const name of (await server.ask('ZRANGE', NODES, '0', '-1')) as string[]) {
      await server.ask('ZINCRBY', NODES, String(dayMs), name);
    }
    await b.places.renew();
    const scores = (await server.ask('ZRANGE', NODES, '0', '-1', 'WITHSCORES')) as unknown[];
    for (const score of scores.flat().filter((_, index) => index % 2 === 1)) {
      expect(Number(score)).toBeLessThan(Number(seconds) * 1_000 + 20_000);
      expect(Number(score)).toBeGreaterThan(Number(seconds) * 1_000);
    }
  });

  it('are said again to a Redis that has lost them', async () => {
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    await server.ask('FLUSHALL');
    await a.places.renew();
    await b.places.renew();
    expect(await takeMany(3, occupant(), [b])).toBe(0);
  });

  it('are said again after a break, whatever Redis has kept of them', async () => {
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    for (const key of (await server.ask('KEYS', '*:subject')) as string[]) {
      await server.ask('DEL', key);
    }
    await server.kill();
    await until('Redis is missed', () => !a.redis.isAvailable && !b.redis.isAvailable);
    await server.start();
    await until('Redis is back', () => a.redis.isAvailable && b.redis.isAvailable);
    expect(await takeMany(3, occupant(), [b])).toBe(0);
  });

  it.each([
    ['one of the counts', (keys: string[]) => keys.find((key) => key.endsWith(':workspace')) ?? ''],
    ['the list of nodes', () => NODES],
  ])('are said again after a break where %s is something else', async (_, which) => {
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    await a.places.take(occupant('bob', 'other'));
    const keys = (await server.ask('KEYS', '*:subject')) as string[];
    const damaged = which((await server.ask('KEYS', '*')) as string[]);
    await server.ask('DEL', damaged, ...keys);
    await server.ask('SET', damaged, 'x');
    await server.kill();
    await until('Redis is missed', () => !a.redis.isAvailable && !b.redis.isAvailable);
    await server.start();
    await until('Redis is back', () => a.redis.isAvailable && b.redis.isAvailable);
    await server.ask('DEL', damaged);
    await Promise.all([a, b].map(({ places }) => places.renew()));
    expect(await takeMany(3, occupant(), [b])).toBe(0);
  });

  it('cannot be taken while Redis is away; what is given back meanwhile is free when it returns', async () => {
    expect(await takeMany(3, occupant(), [a])).toBe(3);
    await server.kill();
    await expect(a.places.take(occupant('bob'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    a.places.give(occupant());
    await expect(a.places.settle()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await server.start();
    await until('Redis is back', () => a.redis.isAvailable && b.redis.isAvailable);
    await a.places.settle();
    expect(await takeMany(5, occupant(), [b])).toBe(1);
  });

  it('are not changed by what was said before, and comes after it', async () => {
    await a.places.take(occupant());
    const [key] = (await server.ask('KEYS', '*:workspace')) as [string];
    const [[name], [, value]] = [
      (await server.ask('HKEYS', key)) as [string],
      (await server.ask('HGETALL', key)) as [string, string],
    ];
    const late = [name, 0, 5, 5, 0, 7_200_000, 60_000];
    expect(await b.redis.run(COUNT, [key], late)).toBe(-1);
    expect(await server.ask('HGET', key, name)).toBe(value);
  });

  it('are shared in a cluster too, whose servers each keep some of the counts', async () => {
    await using cluster = await RedisCluster.start();
    const nodes = [await startNode({}, cluster.url), await startNode({}, cluster.url)];
    for (let n = 0; n < 10; n++) {
      expect(await takeMany(6, occupant(`s${n}`, `w${n}`), nodes)).toBe(3);
    }
    await nodes[0]?.places.close();
    await nodes[1]?.places.renew();
    for (let n = 0; n < 10; n++) {
      expect(await takeMany(6, occupant(`s${n}`, `w${n}`), nodes.slice(1))).toBeGreaterThan(0);
    }
    await endAll();
  }, 60_000);

  it('are exact, whatever is taken, given back, lost and told again by whom', async () => {
    const nodes = [a, b, await startNode()];
    const index = fc.nat({ max: nodes.length - 1 });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('take' as const), at: fc.array(index, { maxLength: 6 }) }),
      fc.record({ kind: fc.constant('give' as const), at: index }),
      fc.record({ kind: fc.constant('both' as const), at: fc.array(index, { maxLength: 6 }) }),
      fc.record({ kind: fc.constant('die' as const), at: index }),
      fc.record({ kind: fc.constant('flush' as const), at: index }),
    );
    let run = 0;
    const property = async (
      steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
    ) => {
      const who = occupant(`s${run}`, `w${run++}`);
      const held = nodes.map(() => 0);
      const total = () => held.reduce((sum, count) => sum + count, 0);
      const give = (at: number) => {
        if (held[at] === 0) return;
        held[at] = (held[at] ?? 0) - 1;
        nodes[at]?.places.give(who);
      };
      const take = (at: readonly number[]) =>
        Promise.all(
          at.map((node) =>
            nodes[node]?.places.take(who).then(
              () => {
                held[node] = (held[node] ?? 0) + 1;
                return 1;
              },
              () => 0,
            ),
          ),
        ).then((taken) => taken.reduce<number>((sum, one) => sum + (one ?? 0), 0));
      const settle = () => Promise.all(nodes.map(({ places }) => places.settle()));
      const renew = async () => {
        for (const { places } of [...nodes, ...nodes]) await places.renew();
      };
      for (const one of steps) {
        await settle();
        const free = Math.max(0, LIMITS.maxStreamsPerSubject - total());
        if (one.kind === 'take') {
          expect(await take(one.at)).toBe(Math.min(one.at.length, free));
        } else if (one.kind === 'give') give(one.at);
        else if (one.kind === 'both') {
          const before = total();
          const taking = take(one.at);
          for (const at of one.at) give(at);
          const given = before - total();
          const taken = await taking;
          expect(taken).toBeGreaterThanOrEqual(Math.min(one.at.length, free));
          expect(taken).toBeLessThanOrEqual(Math.min(one.at.length, free + given));
        } else {
          if (one.kind === 'die') await endLease(nodes[one.at] as Node);
          else await server.ask('FLUSHALL');
          await renew();
        }
        expect(total()).toBeLessThanOrEqual(LIMITS.maxStreamsPerSubject);
      }
      for (const [at, count] of held.entries()) for (let n = 0; n < count; n++) give(at);
      await settle();
      expect(nodes.map(({ places }) => places.countsKept)).toEqual([0, 0, 0]);
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), property), { numRuns: 40 });
  });
});
