// The entry in a page: the driver calls `playScenario`, and answers `callControl`.
import { RealtimeClient } from '@sluice/sdk';
import { play } from './play.js';
import type { Outcome, Setting } from './scenario.js';

/** What the page and its driver have in common. */
export interface SuiteWindow {
  /** Given by the driver: takes the arguments as JSON, and answers so. */
  callControl(workspace: string, method: string, args: string): Promise<string>;
  playScenario(name: string, setting: Setting): Promise<Outcome>;
  /** For what cannot be a scenario, since it takes the page itself away. */
  readonly RealtimeClient: typeof RealtimeClient;
  /** Errors that nobody caught. */
  readonly uncaught: string[];
}

const uncaught: string[] = [];
const suite: SuiteWindow = Object.assign(globalThis as unknown as SuiteWindow, {
  uncaught,
  RealtimeClient,
  playScenario: (name: string, setting: Setting) =>
    play(name, setting, async (method, args) => {
      const answer = await suite.callControl(setting.workspace, method, JSON.stringify(args));
      const { value, fault } = JSON.parse(answer) as { value?: unknown; fault?: string };
      if (fault !== undefined) throw new Error(fault);
      return value;
    }),
});

addEventListener('error', ({ message }) => uncaught.push(message));
addEventListener('unhandledrejection', ({ reason }) => uncaught.push(String(reason)));
