import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const STOP_DEADLINE_MS = 10_000;
const CLOCK_TICKS = 100;
const PAGE_KB = 4;

export interface PinnedOptions {
  /** The processor it runs on. */
  readonly core: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Those that run. Whoever ends the benchmark early ends them too. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** A process of the benchmark that stays on one core, and what it uses, with its children. */
export class PinnedProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private lastWords = '';

  constructor(program: string, args: readonly string[], { core, env = {}, cwd }: PinnedOptions) {
    this.child = spawn('taskset', ['-c', String(core), program, ...args], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(cwd !== undefined && { cwd }),
    });
    running.add(this.child);
    this.exited = new Promise((resolve) => this.child.once('close', () => resolve()));
    void this.exited.then(() => running.delete(this.child));
    this.child.once('error', (error) => this.note(error.message));
    this.child.stdin?.on('error', () => {});
    this.child.stderr?.on('data', (bytes: Buffer) => this.note(bytes.toString()));
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`not started: ${this.lastWords}`);
    return this.child.pid;
  }

  /** Resolves with what stands in the first group of `pattern`, once a line of standard output fits it. */
  async said(pattern: RegExp): Promise<string> {
    let text = '';
    const { stdout } = this.child;
    const found = new Promise<string>((resolve) => {
      const look = (bytes: Buffer) => {
        text += bytes;
        const match = pattern.exec(text);
        if (match === null) return;
        stdout?.off('data', look);
        // What it says later is of no interest, and must not fill the pipe.
        stdout?.resume();
        resolve(match[1] ?? '');
      };
      stdout?.on('data', look);
    });
    return Promise.race([found, this.failure('did not start')]);
  }

  /** Rejects when the process ends. */
  async failure(what: string): Promise<never> {
    await this.exited;
    throw new Error(`${this.child.spawnargs.slice(3).join(' ')} ${what}: ${this.lastWords}`);
  }

  /** Seconds of processor time since its start, of all its threads and children, in the kernel and outside of it. */
  cpuSeconds(): number {
    return this.family().reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  }

  /** Resident memory in KB. */
  residentKb(): number {
    return this.family().reduce((sum, pid) => sum + residentKbOf(pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_DEADLINE_MS);
    this.child.kill('SIGTERM');
    await this.exited;
    clearTimeout(timer);
  }

  private family(): number[] {
    const children = readdirSync(`/proc/${this.pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${this.pid}/task/${thread}/children`, 'utf8').split(' '),
    );
    return [this.pid, ...children.filter((pid) => pid !== '').map(Number)];
  }

  private note(words: string): void {
    this.lastWords = (this.lastWords + words).slice(-2_000);
  }
}

/** proc(5): utime and stime are the fields 14 and 15; the name in the second may hold anything. */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

/** proc(5): the second field of statm is the resident set in pages. */
function residentKbOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_KB;
}
