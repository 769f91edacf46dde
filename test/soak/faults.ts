import { setTimeout as pause } from 'node:timers/promises';
import type { CutProxy } from '../support/cut-proxy.js';
import type { Random } from '../support/random.js';
import type { SoakNode, SoakRedis, World } from './world.js';

/** Something that goes wrong, and then is over. */
export interface Fault {
  readonly name: string;
  /** Resolves when the part is well again. Rejects when the world has ended. */
  run(world: World, chance: Chance): Promise<void>;
}

/** What a fault picks, and how long it takes. */
export class Chance {
  constructor(
    private readonly random: Random,
    private readonly signal: AbortSignal,
  ) {}

  pick<Item>(items: readonly Item[]): Item {
    return this.random.pick(items);
  }

  async pause(least: number, most = least): Promise<void> {
    await pause(this.random.between(least, most), undefined, { signal: this.signal });
  }

  /** Nothing is started in a world that has ended: nobody would end it. */
  async start(part: { start(): Promise<void> }): Promise<void> {
    this.endIfOver();
    await part.start();
  }

  /** @throws Error if the world has ended. */
  endIfOver(): void {
    this.signal.throwIfAborted();
  }
}

/** After it a balancer's probe has found out what does not answer. */
const PROBE_MS = 1_000;
/** Each is 20 s of waiting. */
const RECOVERY_ATTEMPTS = 4;

const NODE_FAULTS: readonly Fault[] = [
  {
    name: 'node: kill -9',
    run: async ({ nodes }, chance) => {
      const node = chance.pick(nodes);
      node.isInTurn = false;
      await node.service.kill();
      await chance.pause(500, 4_000);
      await startNode(node, chance);
    },
  },
  {
    name: 'node: SIGTERM',
    run: async ({ nodes }, chance) => {
      const node = chance.pick(nodes);
      node.isInTurn = false;
      await node.service.stop('SIGTERM');
      await chance.pause(0, 2_000);
      await startNode(node, chance);
    },
  },
  {
    name: 'node: SIGSTOP',
    run: async ({ nodes }, chance) => {
      const node = chance.pick(nodes);
      const { pid } = node.service;
      process.kill(pid, 'SIGSTOP');
      await chance.pause(PROBE_MS);
      node.isInTurn = false;
      await chance.pause(500, 6_000);
      process.kill(pid, 'SIGCONT');
      node.isInTurn = true;
    },
  },
  {
    name: 'clients: cut',
    run: async ({ nodes }, chance) => {
      chance.pick(nodes).line.cutAll(chance.pick(['rst', 'fin']));
    },
  },
  {
    name: 'clients: half-open',
    run: ({ nodes }, chance) => halfOpen(chance.pick(nodes).line, chance),
  },
  {
    name: 'clients: delay',
    run: ({ nodes }, chance) => shape(chance.pick(nodes).line, chance, { delayMs: 200 }),
  },
  {
    name: 'clients: throttle',
    run: ({ nodes }, chance) => shape(chance.pick(nodes).line, chance, { bytesPerSecond: 20_000 }),
  },
];

const REDIS_FAULTS: readonly Fault[] = [
  {
    name: 'primary: kill -9',
    run: async ({ redis }, chance) => {
      if (redis === null) return;
      const primary = await redis.sentinels.primary();
      await primary.kill();
      await redis.sentinels.failedOver(primary);
      await chance.pause(0, 3_000);
      await chance.start(primary);
      await allFollow(redis);
    },
  },
  {
    name: 'primary: SIGSTOP',
    run: async ({ redis }, chance) => {
      if (redis === null) return;
      const primary = await redis.sentinels.primary();
      primary.pause();
      await chance.pause(300, 5_000);
      primary.resume();
      await allFollow(redis);
    },
  },
  {
    name: 'primary: cut',
    run: async ({ redis }) => {
      if (redis === null) return;
      redis.lineTo(await redis.sentinels.primary()).cutAll();
      await allFollow(redis);
    },
  },
  {
    name: 'primary: half-open',
    run: async ({ redis }, chance) => {
      if (redis === null) return;
      await halfOpen(redis.lineTo(await redis.sentinels.primary()), chance);
      await allFollow(redis);
    },
  },
  {
    name: 'primary: delay',
    run: async ({ redis }, chance) => {
      if (redis === null) return;
      await shape(redis.lineTo(await redis.sentinels.primary()), chance, { delayMs: 50 });
      await allFollow(redis);
    },
  },
  {
    name: 'primary: throttle',
    run: async ({ redis }, chance) => {
      if (redis === null) return;
      const line = redis.lineTo(await redis.sentinels.primary());
      await shape(line, chance, { bytesPerSecond: 100_000 });
      await allFollow(redis);
    },
  },
  {
    name: 'everything: kill -9',
    run: async ({ nodes, redis }, chance) => {
      if (redis === null) return;
      const primary = await redis.sentinels.primary();
      const replicas = redis.sentinels.servers.filter((server) => server !== primary);
      for (const node of nodes) node.isInTurn = false;
      const services = nodes.map(({ service }) => service.kill());
      await Promise.all([...services, primary.kill(), ...replicas.map((one) => one.kill())]);
      // What was acknowledged is on the primary's disk: it comes first, before the Sentinels name another one.
      await chance.start(primary);
      await Promise.all(replicas.map((one) => chance.start(one)));
      await allFollow(redis);
      await Promise.all(nodes.map((node) => startNode(node, chance)));
    },
  },
];

/** All that may befall this world. */
export function faultsOf({ redis }: World): readonly Fault[] {
  return redis === null ? NODE_FAULTS : [...NODE_FAULTS, ...REDIS_FAULTS];
}

/** A server that was out for a while is sent after the new primary, and reads anew what it lacks. */
async function allFollow({ sentinels }: SoakRedis): Promise<void> {
  const replicas = sentinels.servers.length - 1;
  for (let attempt = 1; ; attempt++) {
    try {
      return await sentinels.replicasFollow(replicas);
    } catch (error) {
      if (attempt === RECOVERY_ATTEMPTS) throw error;
    }
  }
}

async function startNode(node: SoakNode, chance: Chance): Promise<void> {
  await chance.start(node.service);
  node.isInTurn = true;
}

async function halfOpen(line: CutProxy, chance: Chance): Promise<void> {
  line.halfOpen();
  await chance.pause(500, 6_000);
  line.resume();
}

async function shape(
  line: CutProxy,
  chance: Chance,
  how: Parameters<CutProxy['shape']>[0],
): Promise<void> {
  line.shape(how);
  await chance.pause(1_000, 8_000);
  line.shape({ delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY });
}
