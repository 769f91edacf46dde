import {
  isPattern,
  MAX_PATTERNS,
  parseCursor,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import type { ConnectionListener } from './connection/connection.js';
import { RealtimeError } from './errors.js';

/**
 * What is subscribed to, and who hears of it. A callback that throws disturbs nothing: what it threw goes to
 * `reportError` where the platform has it, and is thrown as an uncaught error otherwise, as for any event listener.
 */
export interface SubscribeOptions {
  /** Names of topics, or patterns with `*`; at most 100. Default: all topics that the token may see. */
  readonly topics?: readonly string[];
  /** Types of events, or patterns with `*`; at most 100. Default: all types. */
  readonly types?: readonly string[];
  /** Resumes behind this cursor. Default: begins with what happens after the connection. */
  readonly lastEventId?: string;
  /** An event, in the order of the workspace, once. */
  readonly onEvent: (event: RealtimeEvent, context: EventContext) => void;
  /**
   * An error, once. With `willRetry` the client goes on by itself. Without it the subscription waits for `setToken`,
   * which may be called from here.
   */
  readonly onError: (error: RealtimeError) => void;
  /** The service has let the stream in: once at the start and after each reconnect. */
  readonly onConnected?: (connected: StreamConnected) => void;
  /** A stream that was connected is not any more. Not called for `unsubscribe()` and `close()`. */
  readonly onDisconnected?: (disconnection: Disconnection) => void;
  /** Events between `from` and the next one are lost: reload what you keep of them. */
  readonly onGap?: (gap: StreamGap) => void;
}

export interface EventContext {
  /** The place of the event in the history of its workspace: `lastEventId` of a subscription that goes on behind it. */
  readonly cursor: string;
}

export interface Disconnection {
  /** Whether the next attempt comes by itself. */
  readonly willReconnect: boolean;
}

export interface Subscription {
  /** Ends the subscription; no callback is called after this. */
  unsubscribe(): void;
  /**
   * Resolves when the service has let the stream in for the first time. Rejects with the error if one that is not
   * recoverable comes before, and with CLOSED if the subscription is ended. Stays open over TOKEN_EXPIRED, for `setToken`
   * is the answer to that. Nobody has to await it.
   */
  readonly ready: Promise<void>;
}

/** Calls the callbacks of one subscription, and keeps its promise. */
export class Subscriber implements ConnectionListener {
  readonly ready: Promise<void>;
  readonly #options: SubscribeOptions;
  #isClosed = false;
  #resolve: () => void = () => {};
  #reject: (error: RealtimeError) => void = () => {};

  constructor(options: SubscribeOptions) {
    this.#options = options;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A promise that nobody looks at is no unhandled rejection: the error goes to `onError` as well.
    this.ready.catch(() => {});
  }

  onConnected(connected: StreamConnected): void {
    this.#resolve();
    this.#call(() => this.#options.onConnected?.(connected));
  }

  onDisconnected(willReconnect: boolean): void {
    this.#call(() => this.#options.onDisconnected?.({ willReconnect }));
  }

  onEvent(event: RealtimeEvent, cursor: string): void {
    this.#call(() => this.#options.onEvent(event, { cursor }));
  }

  onGap(gap: StreamGap): void {
    this.#call(() => this.#options.onGap?.(gap));
  }

  onError(error: RealtimeError): void {
    if (!error.recoverable) this.#reject(error);
    this.#call(() => this.#options.onError(error));
  }

  close(): void {
    this.#isClosed = true;
    this.#reject(new RealtimeError('CLOSED'));
  }

  #call(callback: () => void): void {
    if (this.#isClosed) return;
    try {
      callback();
    } catch (error) {
      report(error);
    }
  }
}

/** @throws TypeError that names the option at fault. */
export function checkSubscribeOptions(options: SubscribeOptions): void {
  for (const name of ['onEvent', 'onError'] as const) {
    if (typeof options[name] !== 'function') throw new TypeError(`"${name}" must be a function`);
  }
  for (const name of ['onConnected', 'onDisconnected', 'onGap'] as const) {
    if (!['function', 'undefined'].includes(typeof options[name])) {
      throw new TypeError(`"${name}" must be a function`);
    }
  }
  checkPatterns('topics', options.topics);
  checkPatterns('types', options.types);
  if (options.lastEventId !== undefined && parseCursor(options.lastEventId) === null) {
    throw new TypeError('"lastEventId" must be a cursor that came with an event');
  }
}

function checkPatterns(name: string, patterns: readonly string[] | undefined): void {
  if (patterns === undefined) return;
  const isList = Array.isArray(patterns) && patterns.length > 0 && patterns.length <= MAX_PATTERNS;
  // An empty list is more likely a mistake than the wish for everything.
  if (!isList || !patterns.every((pattern) => typeof pattern === 'string' && isPattern(pattern))) {
    throw new TypeError(
      `"${name}" must be 1 to ${MAX_PATTERNS} names or patterns; leave it out for all`,
    );
  }
}

/** Makes an error of the application as loud as the platform makes one of an event listener. */
function report(error: unknown): void {
  if (typeof reportError === 'function') {
    reportError(error);
  } else {
    queueMicrotask(() => {
      throw error;
    });
  }
}
