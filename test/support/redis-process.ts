import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { Inbox } from './inbox.js';
import { findTool } from './tools.js';

/** A program of Redis that runs, is stopped in its tracks, is killed and started anew. */
export class RedisProcess {
  readonly lines = new Inbox<string>('a line of Redis');
  #process: ChildProcess | null = null;

  constructor(
    private readonly program: 'redis-server' | 'redis-sentinel',
    private readonly args: readonly string[],
    /** What it says when it takes connections. */
    private readonly ready: RegExp,
  ) {}

  get isRunning(): boolean {
    return this.#process !== null;
  }

  async start(): Promise<void> {
    const seen = this.lines.items.length;
    const child = spawn(programOf(this.program), this.args, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line));
    const ended = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${this.program} ended with ${code}`)));
    });
    const isNew = (line: string) => this.lines.items.indexOf(line, seen) >= 0;
    const ready = this.lines.find((line) => this.ready.test(line) && isNew(line));
    await Promise.race([ready, ended]);
    ready.catch(() => {});
    ended.catch(() => {});
  }

  /** Ends it with no chance to say a word. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends it as an operator does. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Stops it in its tracks: connections stay, and nothing is answered. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async dispose(): Promise<void> {
    await this.kill();
    this.lines.close('Redis was disposed of');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await ended;
  }
}

export interface AskOptions {
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: { readonly ca: string };
}

/** Sends one command over a connection of its own. */
export async function askRedis(at: AskOptions, command: readonly string[]): Promise<unknown> {
  const [name = '', ...args] = command;
  const options = { host: '127.0.0.1', lazyConnect: true, retryStrategy: null };
  // Also one that is loading or busy is to be asked.
  const redis = new Redis({ ...at, ...options, enableReadyCheck: false });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return await redis.call(name, ...args);
  } finally {
    redis.disconnect();
  }
}

function programOf(name: 'redis-server' | 'redis-sentinel'): string {
  const tool = findTool(name);
  if ('missing' in tool) throw new Error(`${name} is missing: ${tool.missing}`);
  return tool.path;
}
