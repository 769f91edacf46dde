import type { RealtimeError } from '../errors.js';
import type { ReceivedEvent } from './subscribe-options.js';

/** The events of one subscription that wait to be iterated over; bounded. */
export class EventQueue {
  readonly limit: number;
  #events: ReceivedEvent[] = [];
  /** Those who wait: each takes what there is now, or waits on. */
  readonly #takers: (() => void)[] = [];
  #isEnded = false;
  #error: RealtimeError | null = null;

  /** @param limit most events that wait */
  constructor(limit: number) {
    this.limit = limit;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** False where there is no room left. */
  push(event: ReceivedEvent): boolean {
    if (this.#isEnded) return true;
    if (this.#events.length >= this.limit) return false;
    this.#events.push(event);
    this.#takers.shift()?.();
    return true;
  }

  next(): Promise<IteratorResult<ReceivedEvent, undefined>> {
    return new Promise((resolve, reject) => {
      const take = (): void => {
        const event = this.#events.shift();
        if (event !== undefined) resolve({ done: false, value: event });
        else if (!this.#isEnded) this.#takers.push(take);
        else if (this.#error === null) resolve({ done: true, value: undefined });
        else {
          reject(this.#error);
          this.#error = null;
        }
      };
      take();
    });
  }

  /** Nothing comes after what waits already, and then `error`, once; without an error, not even what waits. */
  end(error: RealtimeError | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    if (error === null) this.#events = [];
    for (const take of this.#takers) take();
  }
}
