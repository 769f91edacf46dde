import { inspect } from 'node:util';
import type {
  Disconnection,
  EventContext,
  RealtimeClient,
  RealtimeError,
  RealtimeEvent,
  StreamGap,
  Subscription,
} from '@sluice/sdk';
import { Expectation } from './expectation.js';
import { type MemoryLog, SECRET_TOPIC } from './memory-log.js';

export interface Wish {
  /** None: all. */
  readonly topics: readonly string[];
  readonly lastEventId?: string;
  /** Whether it iterates, in place of `onEvent`. */
  readonly iterates: boolean;
}

/** A subscription of the client under test, with an eye on everything that it is told. */
export class WatchedSubscription {
  readonly wish: Wish;
  readonly #expectation: Expectation;
  readonly #subscription: Subscription;
  readonly #faults: string[] = [];
  #isEnded = false;
  #isConnected = false;
  /** Whether `onDisconnected` was called, and the state of the client is still to change. */
  #isLeaving = false;
  gaps = 0;

  constructor(client: RealtimeClient, log: MemoryLog, wish: Wish) {
    this.wish = wish;
    this.#expectation = new Expectation(log, wish.topics, wish.lastEventId);
    const { topics, lastEventId, iterates } = wish;
    this.#subscription = client.subscribe({
      ...(topics.length > 0 && { topics }),
      ...(lastEventId !== undefined && { lastEventId }),
      ...(!iterates && { onEvent: this.#onEvent }),
      onConnected: this.#onConnected,
      onDisconnected: this.#onDisconnected,
      onGap: this.#onGap,
      onError: this.#onError,
    });
    client.onStateChange(() => {
      this.#isLeaving = false;
    });
    if (iterates) void this.#iterate();
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Whether the service refuses what it asks for, whatever the token. */
  get isForbidden(): boolean {
    return this.wish.topics.includes(SECRET_TOPIC);
  }

  /** What it was told and should not have been. */
  get faults(): readonly string[] {
    return [...this.#faults, ...this.#expectation.faults];
  }

  /** What it should have been told by now, once all is calm. */
  get missing(): string | null {
    return this.#isEnded ? null : this.#expectation.missing;
  }

  end(): void {
    this.#subscription.unsubscribe();
    this.onEnd();
  }

  /** It has ended, or its client has. */
  onEnd(): void {
    this.#isEnded = true;
  }

  async #iterate(): Promise<void> {
    while (!this.#isEnded) {
      try {
        for await (const { event, cursor } of this.#subscription) {
          // It was on its way out of the queue before the end.
          if (this.#isEnded) return;
          this.#onEvent(event, { cursor });
        }
        return;
      } catch {
        // It failed for now: `onError` has heard of it. Whoever iterates again goes on.
      }
    }
  }

  readonly #onEvent = (event: RealtimeEvent, { cursor }: EventContext): void => {
    this.#hear('an event');
    if (event.id !== `event-${cursor}`) this.#faults.push(`${cursor} came with ${event.id}`);
    this.#expectation.onEvent(cursor);
  };

  readonly #onConnected = (): void => {
    this.#hear('onConnected');
    if (this.#isConnected) this.#faults.push('onConnected came twice in a row');
    if (this.#isLeaving) this.#faults.push('a flicker: the next stream was there already');
    this.#isConnected = true;
    this.#expectation.onConnected();
  };

  readonly #onDisconnected = (_: Disconnection): void => {
    this.#hear('onDisconnected');
    if (!this.#isConnected) this.#faults.push('onDisconnected came without onConnected');
    this.#isConnected = false;
    this.#isLeaving = true;
  };

  readonly #onGap = (_: StreamGap, { cursor }: EventContext): void => {
    this.#hear('onGap');
    this.gaps++;
    this.#expectation.onGap(cursor);
  };

  readonly #onError = (error: RealtimeError): void => {
    this.#hear(`onError ${error.code}`);
    if (inspect(error, { showHidden: true }).includes('classified')) {
      this.#faults.push(`a token in the error ${error.code}`);
    }
  };

  #hear(what: string): void {
    if (this.#isEnded) this.#faults.push(`${what} after the end`);
  }
}
