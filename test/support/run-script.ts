import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Inbox } from './inbox.js';

const ROOT = join(import.meta.dirname, '../..');

/** A script of the repository that runs in a process of its own. Use it with `await using`. */
export interface RunningScript extends AsyncDisposable {
  /** What it prints, on stdout and stderr alike. */
  readonly lines: Inbox<string>;
  /** Its exit code, once it has ended; `null` if a signal ended it. */
  readonly exited: Promise<number | null>;
}

/** @param file from the root of the repository on, or absolute */
export function runScript(
  file: string,
  env: Readonly<Record<string, string>>,
  nodeBinary = process.execPath,
): RunningScript {
  const lines = new Inbox<string>(`a line of ${file}`);
  const child = spawn(nodeBinary, [file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', (line) => lines.push(line));
  }
  void exited.then(() => lines.close(`it has ended, having said:\n${lines.items.join('\n')}`));
  return {
    lines,
    exited,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
