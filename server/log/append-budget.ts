import type { NewEntry } from './event-log.js';
import { logUnavailable } from './log-unavailable.js';

/** What may wait for the store at once; more is refused, so that a stuck store does not fill the memory. */
const MAX_WAITING = { appends: 10_000, characters: 67_108_864 };

/** Counts the appends under way. */
export class AppendBudget {
  private appends = 0;
  private characters = 0;

  /** Runs an append that there is room for. @throws SluiceError UNAVAILABLE if there is none. */
  async spend<Answer>(events: readonly NewEntry[], append: () => Promise<Answer>): Promise<Answer> {
    const characters = events.reduce((sum, { json }) => sum + json.length, 0);
    const isTooMuch =
      this.appends >= MAX_WAITING.appends ||
      (this.appends > 0 && this.characters + characters > MAX_WAITING.characters);
    if (isTooMuch) throw logUnavailable(new Error('too much waits for the store of the log'));
    this.appends++;
    this.characters += characters;
    try {
      return await append();
    } finally {
      this.appends--;
      this.characters -= characters;
    }
  }
}
