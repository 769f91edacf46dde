import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Inbox, withResolvers } from './inbox.js';

export interface ServiceOptions {
  /** Settings beside HOST, PORT, DATA_DIR and DRAIN_MS (0); nothing is inherited but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** The Node that runs the service; the one that runs the test by default. */
  readonly nodeBinary?: string;
  /** A folder that outlives the service; by default one of its own, removed with it. */
  readonly dataDir?: string;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const ENTRY = join(import.meta.dirname, '../../server/dist/main.js');
const LISTENS = /^Sluice listens on (http:\/\/(?:127\.0\.0\.1|localhost):(\d+))/;
const OPS_LISTENS = /^ +ops +(http:\/\/127\.0\.0\.1:\d+)\/readyz/;
const START_DEADLINE_MS = 15_000;
/** After it, a process that was asked to stop and did not is killed, and the test fails. */
const STOP_DEADLINE_MS = 15_000;

interface Run {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
}

/** The built service as a process of its own. Use it with `await using`. */
export class Service implements AsyncDisposable {
  readonly #options: ServiceOptions;
  readonly #ownDataDir: boolean;
  readonly dataDir: string;
  /** Lines of stdout and of stderr, over all runs. */
  readonly stdout = new Inbox<string>('a line on stdout');
  readonly stderr = new Inbox<string>('a line on stderr');
  #run: Run | null = null;
  #port = 0;

  private constructor(options: ServiceOptions, dataDir: string) {
    this.#options = options;
    this.#ownDataDir = options.dataDir === undefined;
    this.dataDir = dataDir;
  }

  /** Starts the service on a free port of loopback; resolves when it listens. */
  static async start(options: ServiceOptions = {}): Promise<Service> {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'sluice-service-')));
    const service = new Service(options, dataDir);
    try {
      await service.start();
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
    return service;
  }

  /** The port of the run that stands, or of the last one. */
  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Of the port for operators, of the run that stands or of the last one; only with `OPS_PORT`. */
  get opsUrl(): string {
    const lines = this.stdout.items.map((line) => OPS_LISTENS.exec(line)?.[1]);
    const url = lines.findLast((found) => found !== undefined);
    if (url === undefined) throw new Error('the service was started without OPS_PORT');
    return url;
  }

  get pid(): number {
    const pid = this.#run?.process.pid;
    if (pid === undefined) throw new Error('the service does not run');
    return pid;
  }

  /** Starts it anew after `stop` or `kill`: same folder, same port. */
  async start(): Promise<void> {
    if (this.#run !== null) throw new Error('the service runs already');
    const seen = this.stdout.items.length;
    const child = spawn(this.#options.nodeBinary ?? process.execPath, [ENTRY], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOST: '127.0.0.1',
        PORT: String(this.#port),
        DATA_DIR: this.dataDir,
        LOG_LEVEL: 'warn',
        // A test that is about something else does not wait for clients to move.
        DRAIN_MS: '0',
        ...this.#options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = withResolvers<Exit>();
    child.once('error', (error) => {
      this.#run = null;
      ended.reject(error);
    });
    child.once('close', (code, signal) => {
      this.#run = null;
      ended.resolve({ code, signal });
    });
    // A failed start is told by the race below; the promise itself may stay unheard.
    ended.promise.catch(() => {});
    collectLines(child.stdout, this.stdout);
    collectLines(child.stderr, this.stderr);
    this.#run = { process: child, exited: ended.promise };

    const line = await Promise.race([
      this.stdout.find(
        (text) => LISTENS.test(text) && this.stdout.items.indexOf(text, seen) >= 0,
        START_DEADLINE_MS,
      ),
      ended.promise.then(({ code, signal }) => {
        throw new Error(
          `the service ended before it listened (${signal ?? code}):\n${this.stderr.items.join('\n')}`,
        );
      }),
    ]);
    this.#port = Number(LISTENS.exec(line)?.[2]);
  }

  /** Whether it runs and what it said last, for the message of a failure. */
  describe(): string {
    const state = this.#run === null ? 'has ended' : 'runs';
    return `the service ${state}; its last words: ${this.stderr.items.slice(-5).join('\n') || 'none'}`;
  }

  /** Asks the service to end as a terminal or a supervisor would. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<Exit> {
    return await this.#end(signal);
  }

  /** Ends it with no chance to write or to say a word. */
  async kill(): Promise<Exit> {
    return await this.#end('SIGKILL');
  }

  /** Resolves when the process has ended, for whatever reason. */
  async exited(): Promise<Exit> {
    if (this.#run === null) throw new Error('the service does not run');
    return await this.#run.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#run !== null) await this.kill();
    this.stdout.close('the service was disposed of');
    this.stderr.close('the service was disposed of');
    if (this.#ownDataDir) await rm(this.dataDir, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<Exit> {
    if (this.#run === null) throw new Error('the service does not run');
    const { process: child, exited } = this.#run;
    let overdue = false;
    const timer = setTimeout(() => {
      overdue = true;
      child.kill('SIGKILL');
    }, STOP_DEADLINE_MS);
    child.kill(signal);
    const exit = await exited;
    clearTimeout(timer);
    if (overdue) throw new Error(`the service did not end ${STOP_DEADLINE_MS} ms after ${signal}`);
    return exit;
  }
}

function collectLines(stream: Readable, inbox: Inbox<string>): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) =>
    inbox.push(line),
  );
}
