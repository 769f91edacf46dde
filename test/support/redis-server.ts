import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Certificates } from './certificates.js';
import { freePort } from './free-port.js';
import type { Inbox } from './inbox.js';
import { type AskOptions, askRedis, RedisProcess } from './redis-process.js';

export interface RedisServerOptions {
  /** Further arguments, such as `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[];
  /** Speaks TLS alone. */
  readonly tls?: Certificates;
  /** Who may do what, each as in `ACL SETUSER`: `app on >secret ~sluice:* …`. The user `default` stays as it is. */
  readonly users?: readonly string[];
  /** Default: a free one. */
  readonly port?: number;
  /** Keeps its settings in a file, so that what a Sentinel changes of them outlives the process. */
  readonly keepsSettings?: boolean;
}

/** What is written before it is acknowledged: nothing is lost by a kill. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
/** A replica is not kept waiting for others that might come. */
const NO_DELAY = ['--repl-diskless-sync-delay', '0'];
const READY = /Ready to accept connections/;

/** A Redis of Debian as a process of its own, on a free port of loopback. Use it with `await using`. */
export class RedisServer implements AsyncDisposable {
  private constructor(
    readonly port: number,
    readonly folder: string,
    private readonly options: RedisServerOptions,
    private readonly process: RedisProcess,
  ) {}

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
    const port = options.port ?? (await freePort());
    const args = ['--bind', '127.0.0.1', '--dir', folder, ...portArguments(port, options)];
    for (const user of options.users ?? []) args.push('--user', ...user.split(' '));
    args.push(...DURABLE, ...NO_DELAY, ...(options.args ?? []));
    const given = options.keepsSettings === true ? [await writeSettings(folder, args)] : args;
    const process = new RedisProcess('redis-server', given, READY);
    const server = new RedisServer(port, folder, options, process);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `${this.options.tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${this.port}`;
  }

  get lines(): Inbox<string> {
    return this.process.lines;
  }

  get isRunning(): boolean {
    return this.process.isRunning;
  }

  /** Starts it anew after `kill`: same folder, same port. */
  start(): Promise<void> {
    return this.process.start();
  }

  /** Ends it with no chance to say a word. */
  kill(): Promise<void> {
    return this.process.kill();
  }

  /** Ends it as an operator does. */
  stop(): Promise<void> {
    return this.process.stop();
  }

  /** Stops it in its tracks: connections stay, and nothing is answered. */
  pause(): void {
    this.process.pause();
  }

  resume(): void {
    this.process.resume();
  }

  /** Sends one command over a connection of its own. */
  ask(...command: readonly string[]): Promise<unknown> {
    const { tls } = this.options;
    const at: AskOptions = { port: this.port, ...(tls !== undefined && { tls: { ca: tls.ca } }) };
    return askRedis(at, command);
  }

  /** A value out of INFO, such as `master_replid`. */
  async info(name: string): Promise<string | null> {
    const info = String(await this.ask('INFO'));
    return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.dispose();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function portArguments(port: number, { tls }: RedisServerOptions): string[] {
  if (tls === undefined) return ['--port', String(port)];
  return [
    ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
    ...['--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile],
    ...['--tls-ca-cert-file', tls.caFile],
  ];
}

/** Arguments as lines of a file that the server may rewrite. */
async function writeSettings(folder: string, args: readonly string[]): Promise<string> {
  const file = join(folder, 'redis.conf');
  const words = args.map((arg) => (arg.startsWith('--') ? `\n${arg.slice(2)}` : ` "${arg}"`));
  await writeFile(file, `${words.join('')}\n`);
  return file;
}
