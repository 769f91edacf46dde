// The entry in Node: a child process that is told over IPC what to play. It ends by itself when the wire is cut, unless
// something was left behind that keeps the process alive.
import { play } from './play.js';
import type { Outcome, Setting } from './scenario.js';

export type ToChild =
  | { readonly kind: 'play'; readonly name: string; readonly setting: Setting }
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly value?: unknown;
      readonly fault?: string;
    };

export type FromChild =
  | {
      readonly kind: 'call';
      readonly workspace: string;
      readonly id: number;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | { readonly kind: 'outcome'; readonly workspace: string; readonly outcome: Outcome };

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const pending = new Map<number, Pending>();
let calls = 0;

function send(message: FromChild): void {
  process.send?.(message);
}

function call(workspace: string, method: string, args: readonly unknown[]): Promise<unknown> {
  const id = ++calls;
  send({ kind: 'call', workspace, id, method, args });
  return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
}

async function playAndTell(name: string, setting: Setting): Promise<void> {
  const { workspace } = setting;
  const outcome = await play(name, setting, (method, args) => call(workspace, method, args));
  send({ kind: 'outcome', workspace, outcome });
}

process.on('message', (message: ToChild) => {
  if (message.kind === 'play') {
    void playAndTell(message.name, message.setting);
    return;
  }
  const { id, value, fault } = message;
  const waiter = pending.get(id);
  pending.delete(id);
  if (fault === undefined) waiter?.resolve(value);
  else waiter?.reject(new Error(fault));
});
