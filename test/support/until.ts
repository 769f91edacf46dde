import { setTimeout as pause } from 'node:timers/promises';
import { DEADLINE_MS } from './inbox.js';

/** Between two looks at what tells nobody when it changes. */
const LOOK_AGAIN_MS = 20;

/**
 * Waits for what cannot be listened for, such as the state of another process. What `look` throws counts as "not yet".
 * @param what says in a failure what was waited for.
 * @returns what `look` found: neither `null` nor `false`.
 */
export async function until<Found>(
  what: string,
  look: () => Found | Promise<Found>,
  deadlineMs = DEADLINE_MS,
): Promise<Exclude<Found, null | false | undefined>> {
  const endsAt = performance.now() + deadlineMs;
  for (;;) {
    let fault: unknown;
    try {
      const found = await look();
      if (found !== null && found !== false && found !== undefined) {
        return found as Exclude<Found, null | false | undefined>;
      }
    } catch (error) {
      fault = error;
    }
    if (performance.now() > endsAt) {
      throw new Error(`waited ${deadlineMs} ms until ${what}`, { cause: fault });
    }
    await pause(LOOK_AGAIN_MS);
  }
}
