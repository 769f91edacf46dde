import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleSuite } from './bundle.js';
import { answerCall } from './control.js';
import { type Environment, inTime } from './environment.js';
import type { FromChild, ToChild } from './in-node.js';
import type { Outcome } from './scenario.js';
import type { StageControl } from './stage-control.js';

const NODE_MODULES = join(import.meta.dirname, '../../../node_modules');
const END_DEADLINE_MS = 5_000;

export interface NodeEnvironment extends Environment {
  /** Lets go of the process. False if something keeps it alive all the same; it is killed then. */
  end(): Promise<boolean>;
}

/** A scenario that is played in the process. */
interface Played {
  readonly control: StageControl;
  readonly settle: (outcome: Outcome) => void;
}

/** A process of this version of Node. */
export async function startNodeEnvironment(nodeBinary: string): Promise<NodeEnvironment> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-suite-'));
  const script = join(folder, 'suite.mjs');
  await writeFile(script, bundleSuite('node'));
  // Where Node looks for packages.
  await symlink(NODE_MODULES, join(folder, 'node_modules'));
  const child = fork(script, [], {
    execPath: nodeBinary,
    execArgv: [],
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const ended = once(child, 'exit');
  const complaints: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => complaints.push(text));
  const played = new Map<string, Played>();
  child.on('message', (message) => heed(child, played, message as FromChild));
  child.once('exit', (code) => {
    const fault = `the process has ended (${code}): ${complaints.join('')}`;
    for (const { settle } of played.values()) settle({ fault });
  });
  let isKilled: Promise<boolean> | null = null;
  const end = async () => {
    isKilled ??= letGo(child, ended);
    return !(await isKilled);
  };
  return {
    complaints: async () => complaints,
    play: async (name, setting, control) => {
      const { workspace } = setting;
      const outcome = new Promise<Outcome>((settle) => played.set(workspace, { control, settle }));
      child.send({ kind: 'play', name, setting } satisfies ToChild);
      try {
        return await inTime(outcome);
      } finally {
        played.delete(workspace);
      }
    },
    end,
    [Symbol.asyncDispose]: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function heed(child: ChildProcess, played: ReadonlyMap<string, Played>, message: FromChild): void {
  const scenario = played.get(message.workspace);
  if (scenario === undefined) return;
  if (message.kind === 'outcome') scenario.settle(message.outcome);
  else void answer(child, scenario.control, message);
}

async function answer(
  child: ChildProcess,
  control: StageControl,
  { id, method, args }: Extract<FromChild, { kind: 'call' }>,
): Promise<void> {
  const tell = (message: ToChild) => child.connected && child.send(message);
  try {
    tell({ kind: 'answer', id, value: await answerCall(control, method, args) });
  } catch (error) {
    tell({ kind: 'answer', id, fault: String(error) });
  }
}

/** Whether the process had to be killed. */
async function letGo(child: ChildProcess, ended: Promise<unknown>): Promise<boolean> {
  let isOverdue = false;
  const timer = setTimeout(() => {
    isOverdue = true;
    child.kill('SIGKILL');
  }, END_DEADLINE_MS);
  if (child.connected) child.disconnect();
  await ended;
  clearTimeout(timer);
  return isOverdue;
}
