import type { RealtimeError } from '../errors.js';
import type { ReceivedEvent } from './subscribe-options.js';

/** The events of one subscription that wait to be iterated over; bounded. */
export class EventQueue {
  readonly limit: number;
  #events: ReceivedEvent[] = [];
  /** Those who wait for the next event. */
  readonly #takers: {
    resolve(result: IteratorResult<ReceivedEvent, undefined>): void;
    reject(error: unknown): void;
  }[] = [];
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
    const taker = this.#takers.shift();
    if (taker !== undefined) taker.resolve({ done: false, value: event });
    else if (this.#events.length >= this.limit) return false;
    else this.#events.push(event);
    return true;
  }

  next(): Promise<IteratorResult<ReceivedEvent, undefined>> {
    return new Promise((resolve, reject) => {
      const event = this.#events.shift();
      if (event !== undefined) resolve({ done: false, value: event });
      else if (this.#error !== null) reject(this.#takeError());
      else if (this.#isEnded) resolve({ done: true, value: undefined });
      else this.#takers.push({ resolve, reject });
    });
  }

  /** Nothing comes after what waits already, and then `error`, once. */
  end(error: RealtimeError | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    for (const taker of this.#takers.splice(0)) {
      if (this.#error !== null) taker.reject(this.#takeError());
      else taker.resolve({ done: true, value: undefined });
    }
  }

  /** Nothing comes any more. An error that it has ended with, and what waits before that, can still be taken. */
  close(): void {
    if (this.#isEnded) return;
    this.#events = [];
    this.end(null);
  }

  #takeError(): RealtimeError | null {
    const error = this.#error;
    this.#error = null;
    return error;
  }
}
