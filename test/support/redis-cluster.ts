import { freePort } from './free-port.js';
import { RedisServer } from './redis-server.js';
import { until } from './until.js';

const PRIMARIES = 3;
const SLOTS = 16_384;
/** How long a node is silent before the others take it for dead. */
const NODE_TIMEOUT_MS = 1_000;
const SETTLING_MS = 30_000;

export interface RedisClusterOptions {
  /** Of each primary; without one a node that dies is not replaced. Default: 0. */
  readonly replicas?: number;
  /** Further arguments of each server. */
  readonly args?: readonly string[];
}

/** Three primaries that share the slots, each with replicas where wanted. Use it with `await using`. */
export class RedisCluster implements AsyncDisposable {
  private constructor(readonly servers: readonly RedisServer[]) {}

  static async start({ replicas = 0, args = [] }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const servers: RedisServer[] = [];
    for (let n = 0; n < PRIMARIES * (1 + replicas); n++) servers.push(await startNode(args));
    const cluster = new RedisCluster(servers);
    await cluster.join();
    return cluster;
  }

  get url(): string {
    return `redis+cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** Those that had the slots at the start. */
  get primaries(): readonly RedisServer[] {
    return this.servers.slice(0, PRIMARIES);
  }

  /** The server that holds the slot of a key. */
  async ownerOf(key: string): Promise<RedisServer> {
    const [asked] = this.servers.filter(({ isRunning }) => isRunning) as [RedisServer];
    const slot = Number(await asked.ask('CLUSTER', 'KEYSLOT', key));
    const ranges = (await asked.ask('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    const range = ranges.find(([from, to]) => from <= slot && slot <= to);
    return this.#at(range?.[2][1]);
  }

  /** A replica of a server, if it has one. */
  async replicaOf(primary: RedisServer): Promise<RedisServer> {
    const info = String(await primary.ask('INFO', 'replication'));
    return this.#at(Number(/slave0:ip=[^,]*,port=(\d+)/.exec(info)?.[1]));
  }

  /** Makes a replica the primary of its slots, while all are well. */
  async failOver(replica: RedisServer): Promise<void> {
    await replica.ask('CLUSTER', 'FAILOVER');
    await this.becomesPrimary(replica);
  }

  async becomesPrimary(server: RedisServer): Promise<void> {
    await until(
      'a replica is a primary',
      async () => (await server.info('role')) === 'master',
      SETTLING_MS,
    );
    await this.isWell();
  }

  /** Moves the slot of a key, and all that lies in it, to another server. */
  async moveSlot(key: string, to: RedisServer): Promise<void> {
    await this.beginMove(key, to);
    await this.endMove(key, to);
  }

  /** From now on keys of the slot that are not here are at the other server. */
  async beginMove(key: string, to: RedisServer): Promise<void> {
    const from = await this.ownerOf(key);
    const slot = String(await from.ask('CLUSTER', 'KEYSLOT', key));
    await to.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from));
    await from.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to));
  }

  async endMove(key: string, to: RedisServer): Promise<void> {
    const from = await this.ownerOf(key);
    const slot = String(await from.ask('CLUSTER', 'KEYSLOT', key));
    for (;;) {
      const keys = (await from.ask('CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[];
      if (keys.length === 0) break;
      const at = ['127.0.0.1', String(to.port), '', '0', '5000', 'KEYS'];
      await from.ask('MIGRATE', ...at, ...keys);
    }
    const toId = await idOf(to);
    for (const server of [to, from]) await server.ask('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
  }

  /** Waits until each node that runs finds that all slots are served. */
  async isWell(): Promise<void> {
    await until(
      'the cluster is well',
      async () => {
        const running = this.servers.filter(({ isRunning }) => isRunning);
        const states = await Promise.all(running.map((server) => server.ask('CLUSTER', 'INFO')));
        return states.every((state) => String(state).includes('cluster_state:ok'));
      },
      SETTLING_MS,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }

  private async join(): Promise<void> {
    const [first, ...others] = this.servers as [RedisServer, ...RedisServer[]];
    for (const [n, server] of this.servers.entries()) {
      await server.ask('CLUSTER', 'SET-CONFIG-EPOCH', String(n + 1));
      if (n >= PRIMARIES) continue;
      const from = Math.ceil((n * SLOTS) / PRIMARIES);
      const to = Math.ceil(((n + 1) * SLOTS) / PRIMARIES) - 1;
      await server.ask('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    }
    for (const server of others) {
      const [, busPort] = (await server.ask('CONFIG', 'GET', 'cluster-port')) as [string, string];
      await first.ask('CLUSTER', 'MEET', '127.0.0.1', String(server.port), busPort);
    }
    await this.isWell();
    await until('all nodes know each other', async () => {
      const states = await Promise.all(this.servers.map((server) => server.ask('CLUSTER', 'INFO')));
      const all = `cluster_known_nodes:${this.servers.length}`;
      return states.every((state) => String(state).includes(all));
    });
    for (const [n, server] of this.servers.entries()) {
      if (n < PRIMARIES) continue;
      const primary = this.servers[n % PRIMARIES] as RedisServer;
      await server.ask('CLUSTER', 'REPLICATE', await idOf(primary));
    }
    await until(
      'all replicas follow',
      async () => {
        const replicas = this.servers.slice(PRIMARIES);
        const links = await Promise.all(
          replicas.map((server) => server.info('master_link_status')),
        );
        return links.every((link) => link === 'up');
      },
      SETTLING_MS,
    );
  }

  #at(port: number | undefined): RedisServer {
    const server = this.servers.find((candidate) => candidate.port === port);
    if (server === undefined) throw new Error('no server of the cluster');
    return server;
  }
}

async function startNode(args: readonly string[]): Promise<RedisServer> {
  return RedisServer.start({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
      ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--repl-diskless-sync-delay', '0'],
      ...['--cluster-replica-validity-factor', '0', ...args],
    ],
  });
}

async function idOf(server: RedisServer): Promise<string> {
  return String(await server.ask('CLUSTER', 'MYID'));
}
