import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../until.js';

const OPS = join(import.meta.dirname, '../../../ops');
const STOP_DEADLINE_MS = 3_000;

/** What stands in a shipped file, what a test puts in its place, and how often that is to be found (once by default). */
export type Replacement = readonly [shipped: string, inTest: string, times?: number];

/** A file of `ops/`, with nothing changed but what the replacements name; each must fit as often as it says. */
export async function adaptShipped(
  path: string,
  replacements: readonly Replacement[],
): Promise<string> {
  let text = await readFile(join(OPS, path), 'utf8');
  for (const [shipped, inTest, times = 1] of replacements) {
    const parts = text.split(shipped);
    if (parts.length !== times + 1) {
      throw new Error(`ops/${path} holds "${shipped}" ${parts.length - 1} times, not ${times}`);
    }
    text = parts.join(inTest);
  }
  return text;
}

interface Started {
  readonly name: string;
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
}

/** The processes of one proxy, their folder, and all that they write. Use it with `await using`. */
export class ProxyProcesses implements AsyncDisposable {
  readonly #started: Started[] = [];
  readonly #captured = new Map<string, Buffer[]>();

  private constructor(readonly folder: string) {}

  static async create(name: string): Promise<ProxyProcesses> {
    const folder = await mkdtemp(join(tmpdir(), `sluice-${name}-`));
    // A proxy that gives up being root must still get to its files.
    await chmod(folder, 0o755);
    return new ProxyProcesses(folder);
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, text: string): Promise<string> {
    await writeFile(this.at(name), text);
    return this.at(name);
  }

  /** Runs a program to its end, such as a check of the configuration; throws what it said where it fails. */
  async run(program: string, args: readonly string[]): Promise<string> {
    try {
      const { stdout, stderr } = await promisify(execFile)(program, args, { timeout: 10_000 });
      return stdout + stderr;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`${program} ${args.join(' ')} failed: ${stdout}${stderr}`, { cause: error });
    }
  }

  /** Starts a program that stays in the foreground; what it says is kept under `<name> stdout` and `<name> stderr`. */
  start(name: string, program: string, args: readonly string[]): void {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that its workers go with it.
      detached: true,
      cwd: this.folder,
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      const chunks: Buffer[] = [];
      this.#captured.set(`${name} ${stream}`, chunks);
      child[stream].on('data', (chunk: Buffer) => chunks.push(chunk));
    }
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('close', () => resolve());
    });
    this.#started.push({ name, process: child, ended });
  }

  /** Waits until all these ports of loopback take connections. */
  async listening(...ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      await until(`the proxy listens on ${port}`, async () => {
        await canConnect(port);
        return true;
      }).catch((cause: unknown) => {
        throw new Error(`the proxy does not listen on ${port}: ${this.#lastWords()}`, { cause });
      });
    }
  }

  /** All that was written so far: every file of the folder but those named, and what the programs said. */
  async outputs(inputs: readonly string[] = []): Promise<Map<string, Buffer>> {
    const outputs = new Map<string, Buffer>();
    for (const [name, chunks] of this.#captured) outputs.set(name, Buffer.concat(chunks));
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      const name = relative(this.folder, path);
      if (inputs.includes(name)) continue;
      // A file may go while it is looked at.
      const bytes = await readFile(path).catch(() => null);
      if (bytes !== null) outputs.set(name, bytes);
    }
    return outputs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process: child, ended } of this.#started.reverse()) {
      signalGroup(child, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_DEADLINE_MS);
      await ended;
      clearTimeout(timer);
      // Workers that their parent has left behind.
      signalGroup(child, 'SIGKILL');
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  #lastWords(): string {
    return [...this.#captured]
      .map(([name, chunks]) => `${name}: ${Buffer.concat(chunks).toString().slice(-2_000)}`)
      .join('\n');
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has gone.
  }
}

function canConnect(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    }).once('error', reject);
  });
}
