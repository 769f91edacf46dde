import {
  matchesPattern,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import { ResumePoint } from '../connection/resume-point.js';
import { RealtimeError } from '../errors.js';
import { EventQueue } from './event-queue.js';
import type { SubscribeOptions } from './subscribe-options.js';

type CallbackName = Extract<keyof SubscribeOptions, `on${string}`>;
type Callbacks = {
  [Name in CallbackName]: (...told: Parameters<NonNullable<SubscribeOptions[Name]>>) => void;
};

/** One subscription from within: what it asks for, how far it has come, its callbacks, its promise, its queue. */
export class Subscriber {
  readonly options: SubscribeOptions;
  readonly ready: Promise<void>;
  /** What it has seen. No cursor: it begins with the stream that lets it in. */
  readonly position: ResumePoint;
  /** Whether the live stream carries its events. */
  isAdmitted = false;
  /** Why the service refused it for what it asks for; it waits for another token then. */
  refusal: RealtimeError | null = null;
  #queue: EventQueue | null = null;
  #isClosed = false;
  #resolve = (): void => {};
  #reject: (error: RealtimeError) => void = () => {};
  readonly #onOverflow: (error: RealtimeError) => void;

  /** @param onOverflow called when events wait that nobody takes: the subscription must end */
  constructor(options: SubscribeOptions, onOverflow: (error: RealtimeError) => void) {
    this.#onOverflow = onOverflow;
    this.options = options;
    this.position = new ResumePoint(options.lastEventId ?? null);
    if (options.onEvent === undefined) this.queue();
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A promise that nobody looks at is no unhandled rejection: the error goes to `onError` as well.
    this.ready.catch(() => {});
  }

  /** The events for whoever iterates; kept from the first call on, and from the start where there is no `onEvent`. */
  queue(): EventQueue {
    if (this.#queue === null || (this.#queue.isEnded && !this.#isClosed)) {
      this.#queue = new EventQueue(this.options.maxBufferedEvents ?? 1_000);
      if (this.#isClosed) this.#queue.end(null);
    }
    return this.#queue;
  }

  /** The stream that carries its events has been let in, and goes on behind `cursor`. */
  admit(connected: StreamConnected, cursor: string | null): void {
    this.isAdmitted = true;
    // Others on the same stream may resume; this one has nothing that it could resume, nor can it miss anything.
    const isFresh = this.position.cursor === null;
    if (isFresh) this.position.moveTo(cursor ?? '');
    this.#resolve();
    const resumed = isFresh ? 'fresh' : connected.resumed;
    this.#call('onConnected', { ...connected, resumed }, { cursor: this.position.cursor });
  }

  leave(willReconnect: boolean): void {
    if (!this.isAdmitted) return;
    this.isAdmitted = false;
    this.#call('onDisconnected', { willReconnect });
  }

  /** An event of the stream: handed on if it was asked for and is new. */
  onEvent(event: RealtimeEvent, cursor: string): void {
    const { topics, types } = this.options;
    if (!this.isAdmitted || !matches(topics, event.topic) || !matches(types, event.type)) return;
    if (!this.position.advance(cursor)) return;
    this.#call('onEvent', event, { cursor });
    if (this.#queue?.push({ event, cursor }) === false) {
      const error = new RealtimeError('SLOW_CONSUMER', {
        message: `More than ${this.#queue.limit} events wait`,
      });
      this.#queue.end(error);
      this.#call('onError', error);
      this.#onOverflow(error);
    }
  }

  /**
   * History is gone, and the stream goes on behind `cursor`. Nothing to this one if it is further than the stream was and
   * there already, unless the history itself has fallen back.
   */
  onGap(gap: StreamGap, cursor: string): void {
    const from = new ResumePoint(gap.from);
    const concernsIt = from.distanceTo(cursor) < 0 || from.distanceTo(this.position.cursor) <= 0;
    if (!this.isAdmitted || (!concernsIt && this.position.distanceTo(cursor) <= 0)) return;
    this.position.moveTo(cursor);
    this.#call('onGap', gap, { cursor });
  }

  onError(error: RealtimeError): void {
    // TOKEN_EXPIRED waits for `setToken`.
    if (!error.willRetry && !(error.recoverable && error.code === 'TOKEN_EXPIRED')) {
      this.#reject(error);
      this.#queue?.end(error);
    }
    this.#call('onError', error);
  }

  close(): void {
    this.#isClosed = true;
    this.isAdmitted = false;
    this.#reject(new RealtimeError('CLOSED'));
    this.#queue?.end(null);
  }

  #call<Name extends CallbackName>(name: Name, ...told: Parameters<Callbacks[Name]>): void {
    const callbacks: { readonly [Key in CallbackName]?: Callbacks[Key] | undefined } = this.options;
    if (!this.#isClosed) guard(() => callbacks[name]?.(...told));
  }
}

function matches(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matchesPattern(pattern, name));
}

/**
 * Calls back into the application. An error of its own is made as loud as the platform makes one of an event listener,
 * and harms nobody else.
 */
export function guard(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
