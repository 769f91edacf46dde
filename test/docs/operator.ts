import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { codeBlocks, ROOT, readDocument } from './markdown.js';

/** How long one block may take: each command starts a Node of its own. */
const BLOCK_DEADLINE_MS = 60_000;
const PAGE = codeBlocks(readDocument('docs/operations.md'));

/** What the machines of an installation do when they are told to. */
export interface Machines {
  /** `systemctl stop sluice` on this machine, and the like. */
  systemctl?(action: string): Promise<unknown>;
  /** Any command by `ssh <node>`. */
  ssh?(node: string): Promise<unknown>;
}

export interface OperatorOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly machines?: Machines;
  /** Where a name and a port lead in truth: `{ 'node-1:9464': 40123 }`. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** The commands of docs/operations.md that are marked `run-<name>`, in the order of the page. */
export function blockOf(name: string): string {
  const found = PAGE.filter(({ marks }) => marks.includes(`run-${name}`));
  if (found.length === 0) throw new Error(`docs/operations.md has nothing marked run-${name}`);
  return found.map(({ code }) => code).join('');
}

/** The lines of commands on the page that are neither run nor marked as a fragment. */
export function unmarkedBlocks(): readonly number[] {
  return PAGE.filter(({ language }) => language === 'sh')
    .filter(({ marks }) => !marks.some((mark) => /^(fragment|run-[\w-]+)$/.test(mark)))
    .map(({ line }) => line);
}

export function runMarks(): ReadonlySet<string> {
  const marks = PAGE.flatMap((block) => block.marks).filter((mark) => mark.startsWith('run-'));
  return new Set(marks.map((mark) => mark.slice('run-'.length)));
}

/**
 * Somebody at a shell who does what the page says. `sluice` is the command of this checkout; `sudo`, `ssh` and `systemctl`
 * lead to the processes of the test, and `journalctl` prints the file that JOURNAL names.
 */
export class Operator implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    private readonly server: Server,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  static async open({ env, machines = {}, ports = {} }: OperatorOptions): Promise<Operator> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-operator-'));
    const server = await serve(machines);
    const { port } = server.address() as AddressInfo;
    const ask = `curl -fsS -o /dev/null http://127.0.0.1:${port}`;
    await mkdir(join(folder, 'bin'));
    await symlink(join(ROOT, 'server/bin/sluice.js'), join(folder, 'bin/sluice'));
    await writeProgram(join(folder, 'bin/sudo'), 'exec "$@"');
    await writeProgram(join(folder, 'bin/systemctl'), `exec ${ask}/systemctl/"$1"`);
    await writeProgram(join(folder, 'bin/ssh'), `exec ${ask}/ssh/"$1"`);
    await writeProgram(join(folder, 'bin/journalctl'), 'exec cat "$JOURNAL"');
    const lines = Object.entries(ports).map(
      ([from, to]) => `connect-to = "${from}:127.0.0.1:${to}"`,
    );
    await writeFile(join(folder, '.curlrc'), `${lines.join('\n')}\n`);
    return new Operator(folder, server, env);
  }

  /**
   * @param code such as `blockOf` gives
   * @returns what it printed. @throws Error where a command fails.
   */
  async run(code: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const path = [join(this.folder, 'bin'), process.env['PATH'] ?? ''].join(delimiter);
    const { stdout } = await promisify(execFile)(
      'bash',
      ['--norc', '-euo', 'pipefail', '-c', code],
      {
        cwd: this.folder,
        timeout: BLOCK_DEADLINE_MS,
        env: { PATH: path, HOME: this.folder, ...this.env, ...env },
      },
    );
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function serve(machines: Machines): Promise<Server> {
  const server = createServer(async (request, response) => {
    const [, program, argument = ''] = (request.url ?? '').split('/');
    try {
      const work = program === 'ssh' ? machines.ssh : machines.systemctl;
      if (work === undefined) throw new Error(`there is no ${program}`);
      await work(argument);
      response.end();
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function writeProgram(path: string, code: string): Promise<void> {
  await writeFile(path, `#!/bin/bash\n${code}\n`);
  await chmod(path, 0o755);
}
