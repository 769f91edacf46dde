import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { askRedis, RedisProcess } from './redis-process.js';
import { RedisServer } from './redis-server.js';
import { until } from './until.js';

/** The name under which the Sentinels know the primary. */
const NAME = 'sluice';
const SENTINELS = 3;
const QUORUM = 2;
/** How long a server is silent before a Sentinel takes it for dead. */
const DOWN_AFTER_MS = 1_000;
/** A fail-over takes the silence, an election, and the new primary's settling. */
const FAIL_OVER_MS = 20_000;
const READY = /Sentinel ID is/;

export interface RedisSentinelsOptions {
  /** Further arguments of each server. */
  readonly args?: readonly string[];
  /** Default: 2. */
  readonly replicas?: number;
  /**
   * Another port under which a server is known to all others, such as that of a proxy in front of it. Whatever the proxy
   * does, it does to replication and to the Sentinels too.
   */
  readonly announce?: (port: number) => Promise<number>;
}

/** A primary, its replicas, and three Sentinels that watch them. Use it with `await using`. */
export class RedisSentinels implements AsyncDisposable {
  private constructor(
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly RedisSentinel[],
    private readonly serverByAnnouncedPort: ReadonlyMap<number, RedisServer>,
  ) {}

  static async start(options: RedisSentinelsOptions = {}): Promise<RedisSentinels> {
    const servers: RedisServer[] = [];
    const sentinels: RedisSentinel[] = [];
    const byPort = new Map<number, RedisServer>();
    const started = new RedisSentinels(servers, sentinels, byPort);
    try {
      await startAll(options, servers, sentinels, byPort);
      return started;
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    const hosts = this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `redis+sentinel://${hosts}/${NAME}`;
  }

  /** Whom most Sentinels name. */
  async primary(): Promise<RedisServer> {
    const asked = this.sentinels.filter((sentinel) => sentinel.isRunning);
    const named = await Promise.all(
      asked.map((sentinel) => sentinel.primaryPort().catch(() => null)),
    );
    const port = named.find((one) => named.filter((other) => other === one).length >= QUORUM);
    const server = this.serverByAnnouncedPort.get(port ?? 0);
    if (server === undefined) throw new Error('the Sentinels do not agree');
    return server;
  }

  /** Waits until the Sentinels name another primary than this one, and it is one. */
  failedOver(from: RedisServer): Promise<RedisServer> {
    return until(
      'another primary is named',
      async () => {
        const primary = await this.primary();
        return primary !== from && (await primary.info('role')) === 'master' && primary;
      },
      FAIL_OVER_MS,
    );
  }

  /** Waits until so many replicas follow the primary. */
  async replicasFollow(count: number): Promise<void> {
    await until(
      `${count} replicas follow`,
      async () => (await onlineReplicas(await this.primary())) === count,
      FAIL_OVER_MS,
    );
  }

  /** Asks for a fail-over of a primary that is well. */
  async failOver(): Promise<RedisServer> {
    const from = await this.primary();
    await until('a fail-over is begun', async () => {
      await this.sentinels[0]?.ask('SENTINEL', 'FAILOVER', NAME);
      return true;
    });
    return this.failedOver(from);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel[Symbol.asyncDispose]()));
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

/** One Sentinel, a process of its own. */
export class RedisSentinel implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly process: RedisProcess,
  ) {}

  static async start(primaryPort: number): Promise<RedisSentinel> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-sentinel-'));
    const port = await freePort();
    const file = join(folder, 'sentinel.conf');
    await writeFile(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder}`,
        `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} ${QUORUM}`,
        `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${NAME} 5000`,
        `sentinel parallel-syncs ${NAME} 2`,
        '',
      ].join('\n'),
    );
    const process = new RedisProcess('redis-sentinel', [file], READY);
    await process.start();
    return new RedisSentinel(port, folder, process);
  }

  get isRunning(): boolean {
    return this.process.isRunning;
  }

  start(): Promise<void> {
    return this.process.start();
  }

  kill(): Promise<void> {
    return this.process.kill();
  }

  pause(): void {
    this.process.pause();
  }

  resume(): void {
    this.process.resume();
  }

  ask(...command: readonly string[]): Promise<unknown> {
    return askRedis({ port: this.port }, command);
  }

  /** Under which port it knows the primary. */
  async primaryPort(): Promise<number> {
    const address = await this.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME);
    return Number((address as readonly string[])[1]);
  }

  /** How many others it knows. */
  async known(): Promise<{ readonly sentinels: number; readonly replicas: number }> {
    const info = String(await this.ask('INFO', 'sentinel'));
    const [, replicas, sentinels] = /slaves=(\d+),sentinels=(\d+)/.exec(info) ?? [];
    return { replicas: Number(replicas), sentinels: Number(sentinels) - 1 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.dispose();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Starts servers, and then Sentinels; what stands is among them at each moment. */
async function startAll(
  { args = [], replicas = 2, announce = async (port) => port }: RedisSentinelsOptions,
  servers: RedisServer[],
  sentinels: RedisSentinel[],
  byPort: Map<number, RedisServer>,
): Promise<void> {
  let primaryPort = 0;
  for (let n = 0; n <= replicas; n++) {
    const port = await freePort();
    const announced = await announce(port);
    if (n === 0) primaryPort = announced;
    const server = await RedisServer.start({
      port,
      // Who is the primary is known to the servers themselves too, after a restart as before.
      keepsSettings: true,
      args: [
        ...['--replica-announce-ip', '127.0.0.1', '--replica-announce-port', String(announced)],
        ...['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'],
        ...(n === 0 ? [] : ['--replicaof', '127.0.0.1', String(primaryPort)]),
        ...args,
      ],
    });
    servers.push(server);
    byPort.set(announced, server);
  }
  const [primary] = servers as [RedisServer];
  await until('all replicas follow', async () => (await onlineReplicas(primary)) === replicas);
  for (let n = 0; n < SENTINELS; n++) sentinels.push(await RedisSentinel.start(primaryPort));
  await until('the Sentinels know each other and all replicas', async () => {
    const known = await Promise.all(sentinels.map((sentinel) => sentinel.known()));
    return known.every((of) => of.sentinels === SENTINELS - 1 && of.replicas === replicas);
  });
}

async function onlineReplicas(primary: RedisServer): Promise<number> {
  const info = String(await primary.ask('INFO', 'replication'));
  return info.match(/state=online/g)?.length ?? 0;
}
