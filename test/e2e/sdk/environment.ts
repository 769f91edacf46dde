import type { Outcome, Setting } from './scenario.js';
import type { StageControl } from './stage-control.js';

/** Where scenarios are played: a process, or a page. Use it with `await using`. */
export interface Environment extends AsyncDisposable {
  /** Plays a scenario, beside others that are played meanwhile. The workspace tells their calls apart. */
  play(name: string, setting: Setting, control: StageControl): Promise<Outcome>;
  /** What was complained of so far aside from the outcomes: warnings, uncaught errors. */
  complaints(): Promise<readonly string[]>;
}

const DEADLINE_MS = 60_000;

/** The outcome, or the word that it did not come: an environment that hangs must not hold up the others. */
export async function inTime(outcome: Promise<Outcome>): Promise<Outcome> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Outcome>((resolve) => {
    const fault = `the environment did not answer within ${DEADLINE_MS} ms`;
    timer = setTimeout(() => resolve({ fault }), DEADLINE_MS);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}
