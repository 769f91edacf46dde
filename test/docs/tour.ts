import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Inbox } from '../support/inbox.js';
import type { Service } from '../support/service.js';
import { ROOT } from './markdown.js';

/** How long one command may take: npx and Node start anew for each of them. */
const COMMAND_DEADLINE_MS = 30_000;

/** What a publish command of the tour publishes. */
export interface Publication {
  readonly topic: string;
  readonly type: string;
  readonly data: unknown;
}

export interface Tour {
  /** The commands that subscribe. */
  readonly subscribers: readonly string[];
  readonly publications: readonly Publication[];
}

type Step = { readonly command: string } & (
  | { readonly kind: 'subscribe' }
  | { readonly kind: 'publish'; readonly publication: Publication }
  | { readonly kind: 'other' }
);

/**
 * Does with a shell what a reader of the tour does. What subscribes runs on, as in a terminal of its own, and the next
 * command comes when it is connected. At the end everything is published once more, for those who subscribed last.
 * @param code commands for a service at 127.0.0.1:3000
 * @throws Error if a command fails, or a subscriber does not print each event that was published.
 */
export async function runTour(code: string, service: Service): Promise<Tour> {
  const steps = commandsOf(
    code.replaceAll(/(127\.0\.0\.1|localhost):3000/g, `$1:${service.port}`),
  ).map(stepOf);
  const publishing = steps.filter((step) => step.kind === 'publish');
  const publications = publishing.map(({ publication }) => publication);
  await using shell = await Shell.open(service);
  const subscribers = new Map<number, string>();
  for (const step of steps) {
    if (step.kind === 'subscribe') {
      subscribers.set(await shell.subscribe(step.command), step.command);
    } else {
      await shell.run(step.command);
    }
  }
  for (const { command } of publishing) await shell.run(command);
  for (const subscriber of subscribers.keys()) {
    for (const publication of publications) await shell.printed(subscriber, publication);
  }
  return { subscribers: [...subscribers.values()], publications };
}

/** The commands of a block, each on one line, without comments. */
function commandsOf(code: string): string[] {
  return code
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function stepOf(command: string): Step {
  if (/\bnpm (ci|install|i|start)\b/.test(command)) {
    throw new Error(`the tour begins when the service runs: "${command}" belongs before it`);
  }
  if (/\bsluice listen\b|^curl .*(-N|--no-buffer)\b/.test(command)) {
    return { kind: 'subscribe', command: command.replace(/\s*&$/, '') };
  }
  if (!/\bsluice publish\b/.test(command)) return { kind: 'other', command };
  const publication = {
    topic: optionOf(command, 'topic'),
    type: optionOf(command, 'type'),
    data: JSON.parse(optionOf(command, 'data')) as unknown,
  };
  return { kind: 'publish', command, publication };
}

function optionOf(command: string, name: string): string {
  const [, quoted, plain] = new RegExp(`--${name}[ =](?:'([^']*)'|(\\S+))`).exec(command) ?? [];
  const value = quoted ?? plain;
  if (value === undefined) throw new Error(`"${command}" has no --${name}`);
  return value;
}

/** A bash in a folder of its own, in which `npx sluice` is the command of this checkout. */
class Shell implements AsyncDisposable {
  readonly #folder: string;
  readonly #bash;
  readonly #lines = new Inbox<string>('a line of the shell');
  #commands = 0;

  private constructor(folder: string, { url, dataDir }: Service) {
    this.#folder = folder;
    this.#bash = spawn('bash', ['-s'], {
      cwd: folder,
      // A group of its own, so that whatever it has started ends with it.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: [join(ROOT, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter),
        HOME: folder,
        SLUICE_URL: url,
        DATA_DIR: dataDir,
        // What npx does not find must not come from a registry.
        npm_config_offline: 'true',
        npm_config_yes: 'false',
        npm_config_update_notifier: 'false',
      },
    });
    this.#collect(this.#bash.stdout);
    this.#collect(this.#bash.stderr);
    // The shell's own output: within a redirection, what it starts would inherit the one before.
    this.#bash.stdin.write('exec 3>&1\n');
    this.#bash.once('close', () => this.#lines.close('the shell has ended'));
  }

  static async open(service: Service): Promise<Shell> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-tour-'));
    const manifest = JSON.parse(await readFile(join(ROOT, 'server/package.json'), 'utf8')) as {
      bin: { sluice: string };
    };
    const bin = join(folder, 'node_modules/.bin');
    await mkdir(bin, { recursive: true });
    await symlink(join(ROOT, 'server', manifest.bin.sluice), join(bin, 'sluice'));
    return new Shell(folder, service);
  }

  /** Runs a command to its end. @throws Error if it fails. */
  async run(command: string): Promise<void> {
    const number = this.#send(command, (braced) => `${braced} </dev/null`);
    const status = await this.#find(command, (line) => line.startsWith(`status ${number} `));
    if (status !== `status ${number} 0`) throw new Error(this.#fault(command, 'failed'));
  }

  /** Starts a command that subscribes; its number, when it is connected. */
  async subscribe(command: string): Promise<number> {
    const number = this.#send(
      command,
      (braced, name) => `${braced} </dev/null > ${marked('out', name)} 2> ${marked('err', name)} &`,
    );
    const isConnected = new RegExp(
      `^(out ${number} event: stream\\.connected|err ${number} sluice: connected )`,
    );
    await this.#find(command, (line) => isConnected.test(line));
    return number;
  }

  /** Resolves when a subscriber has printed the event, be it as JSON or as a frame. */
  async printed(subscriber: number, publication: Publication): Promise<void> {
    const expected = JSON.stringify(Object.values(publication));
    const start = new RegExp(`^out ${subscriber} (data: )?(?=\\{)`);
    await this.#find(`subscriber ${subscriber}`, (line) => {
      if (!start.test(line)) return false;
      const { topic, type, data } = JSON.parse(line.replace(start, '')) as Record<string, unknown>;
      return JSON.stringify([topic, type, data]) === expected;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#bash;
    if (pid !== undefined && exitCode === null && signalCode === null) {
      const closed = new Promise((resolve) => this.#bash.once('close', resolve));
      process.kill(-pid, 'SIGKILL');
      await closed;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  #send(command: string, write: (braced: string, number: number) => string): number {
    const number = ++this.#commands;
    this.#bash.stdin.write(`${write(`{ ${command}\n}`, number)}\necho "status ${number} $?"\n`);
    return number;
  }

  async #find(command: string, matches: (line: string) => boolean): Promise<string> {
    try {
      return await this.#lines.find(matches, COMMAND_DEADLINE_MS);
    } catch (cause) {
      throw new Error(this.#fault(command, 'did not do what it should'), { cause });
    }
  }

  #fault(command: string, what: string): string {
    return `${command}\n${what}; the last lines:\n${this.#lines.items.slice(-12).join('\n')}`;
  }

  #collect(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => this.#lines.push(line));
  }
}

/** Where a shell may write to, so that each line comes back with its origin before it. */
function marked(origin: 'out' | 'err', subscriber: number): string {
  return `>(sed -u 's/^/${origin} ${subscriber} /' >&3)`;
}
