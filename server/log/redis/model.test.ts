import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { event } from '../../../test/contracts/event-log.contract.js';
import {
  LogWatch,
  openRedisLog,
  overriding,
  type RedisLog,
} from '../../../test/support/redis-log.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import type { OnMessage, Redis } from '../../redis/redis.js';
import type { Appended } from '../event-log.js';

const NODES = 3;
const EVERYTHING = { maxEntries: 1_000_000, maxBytes: 1_000_000_000 };
const FINGERPRINT = Buffer.alloc(32, 1);

/** What becomes of a message on its way. `late`: it comes behind the next one. */
type Fate = 'arrives' | 'lost' | 'twice' | 'late';

/** A Redis that does with each message what a test has in mind. */
function unreliable(redis: Redis, nextFate: () => Fate): Redis {
  const subscribe: Redis['subscribe'] = (channel, onMessage) => {
    const late: Buffer[] = [];
    const pass: OnMessage = (message) => {
      const fate = nextFate();
      if (fate === 'late') {
        late.push(message);
        return;
      }
      if (fate !== 'lost') onMessage(message);
      if (fate === 'twice') onMessage(message);
      for (const old of late.splice(0)) onMessage(old);
    };
    return redis.subscribe(channel, pass);
  };
  return overriding(redis, { subscribe });
}

type Step =
  | { readonly do: 'append'; readonly node: number; readonly count: number; readonly key: string }
  | { readonly do: 'append at once'; readonly count: number }
  | { readonly do: 'look'; readonly node: number }
  | { readonly do: 'follow anew'; readonly node: number }
  | { readonly do: 'cut' | 'restart' | 'forget all' | 'evict events' };

const node = fc.nat(NODES - 1);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      node,
      count: fc.integer({ min: 1, max: 4 }),
      key: fc.constantFrom('', '', 'one', 'two'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append at once' as const),
      count: fc.integer({ min: 2, max: 30 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('look' as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('follow anew' as const), node }) },
  { weight: 1, arbitrary: fc.constant({ do: 'cut' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'forget all' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'evict events' as const }) },
);
/** Some of them in a row. */
const FATES: fc.Arbitrary<Fate[]> = fc
  .record({
    fate: fc.constantFrom<Fate>('arrives', 'lost', 'twice', 'late'),
    times: fc.integer({ min: 1, max: 8 }),
  })
  .map(({ fate, times }) => Array.from({ length: times }, () => fate));

/** One workspace, what its publishers were told, and who follows it on each node. */
class Trial {
  /** What stands behind each cursor that a publisher was given. */
  private readonly published = new Map<string, number>();
  private readonly answers = new Map<string, Appended>();
  private readonly watches: LogWatch[] = [];
  /** On each node, with how many events there were when it began. */
  private readonly current: [watch: LogWatch, alreadyThere: number][] = [];
  private count = 0;

  constructor(
    private readonly server: RedisServer,
    private readonly nodes: readonly RedisLog[],
    private readonly workspace: string,
  ) {}

  async begin(): Promise<void> {
    for (const index of this.nodes.keys()) await this.follow(index);
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'append':
        return this.append(step.node, step.count, step.key);
      case 'append at once':
        await Promise.all(
          Array.from({ length: step.count }, (_, n) => this.append(n % NODES, 1, '')),
        );
        return;
      case 'look':
        await this.logOf(step.node).extent(this.workspace);
        return;
      case 'follow anew':
        this.current[step.node]?.[0].end();
        return this.follow(step.node);
      case 'cut':
        await this.server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await this.server.ask('CLIENT', 'KILL', 'TYPE', 'normal');
        return this.allBack();
      case 'restart':
        await this.server.kill();
        await this.server.start();
        return this.allBack();
      case 'forget all':
        await this.server.ask('FLUSHALL');
        this.answers.clear();
        return;
      case 'evict events':
        await this.server.ask('DEL', `sluice:log:{${this.workspace}}:events`);
        return;
    }
  }

  /** To be called when messages arrive as they should. */
  async check(): Promise<void> {
    await this.append(0, 1, '');
    for (const [index, [watch]] of this.current.entries()) {
      await watch.reaches(this.logOf(index), this.workspace);
    }
    const { epoch, oldest } = await this.logOf(0).extent(this.workspace);
    const { entries: left } = await this.logOf(0).read(
      this.workspace,
      { epoch, offset: oldest },
      EVERYTHING,
    );
    const seen = this.watches.map(({ entries }) => entries);
    for (const { frame } of [...seen, left].flat()) this.checkFrame(frame.toString());
    for (const watch of this.watches) expect(watch.faults).toEqual([]);
    for (const [watch, alreadyThere] of this.current) {
      expect(watch.unexplained([...this.published.keys()].slice(alreadyThere))).toEqual([]);
    }
  }

  end(): void {
    for (const [watch] of this.current) watch.end();
  }

  private logOf(index: number) {
    return (this.nodes[index] as RedisLog).log;
  }

  private async follow(index: number): Promise<void> {
    const watch = await LogWatch.on(this.logOf(index), this.workspace);
    this.current[index] = [watch, this.published.size];
    this.watches.push(watch);
  }

  private async append(index: number, count: number, key: string): Promise<void> {
    const known = this.answers.get(key);
    const first = this.count;
    this.count += count;
    const events = Array.from({ length: count }, (_, n) => event(first + n));
    const idempotency = key === '' ? undefined : { key, fingerprint: FINGERPRINT };
    const appended = await this.logOf(index).append(this.workspace, events, idempotency);
    if (appended.repeated !== null) {
      expect({ ...appended, repeated: null }).toEqual(known);
      expect(appended.repeated).toHaveLength(appended.count);
      return;
    }
    if (key !== '') this.answers.set(key, appended);
    for (const [n] of events.entries()) {
      const cursor = `${appended.epoch}-${appended.first + n}`;
      expect(this.published.has(cursor)).toBe(false);
      this.published.set(cursor, first + n);
    }
  }

  private checkFrame(frame: string): void {
    const [, cursor = '', n] = /^id: (.*)\ndata: {"n":(\d+)}/.exec(frame) ?? [];
    // A seam has no frame.
    if (cursor !== '')
      expect({ cursor, n: Number(n) }).toEqual({ cursor, n: this.published.get(cursor) });
  }

  private async allBack(): Promise<void> {
    await until('all nodes are back', () => this.nodes.every(({ log }) => log.isAvailable));
  }
}

describeWith('redis-server', 'nodes that share a log in Redis, whatever happens', () => {
  let server: RedisServer;
  let nodes: RedisLog[];
  let fates: Fate[] = [];
  let trials = 0;

  beforeAll(async () => {
    server = await RedisServer.start();
    nodes = await Promise.all(
      Array.from({ length: NODES }, () =>
        openRedisLog(server.url, {
          deadlineMs: 5_000,
          retention: { maxEvents: 40 },
          wrap: (redis) => unreliable(redis, () => fates.shift() ?? 'arrives'),
        }),
      ),
    );
  });
  afterAll(async () => {
    for (const one of nodes) await one[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it('tell their followers of each event once, in order and whole, or that they cannot', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(STEP, { minLength: 5, maxLength: 25 }),
        fc.array(FATES, { maxLength: 20 }),
        async (steps, ownFates) => {
          const trial = new Trial(server, nodes, `trial-${trials++}`);
          await trial.begin();
          fates = ownFates.flat();
          for (const step of steps) await trial.run(step);
          fates = [];
          await trial.check();
          trial.end();
        },
      ),
      { numRuns: 20 },
    );
  }, 120_000);
});
