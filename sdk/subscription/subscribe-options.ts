import {
  isPattern,
  MAX_PATTERNS,
  parseCursor,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import { check, checkCallback, checkNumber } from '../check.js';
import type { RealtimeError } from '../errors.js';

/**
 * What is subscribed to, and who hears of it. A callback that throws disturbs nothing: what it threw goes to
 * `reportError` where the platform has it, and is thrown as an uncaught error otherwise, as for any event listener.
 */
export interface SubscribeOptions {
  /** Names of topics, or patterns with `*`; at most 100. Default: all topics that the token may see. */
  readonly topics?: readonly string[] | undefined;
  /** Types of events, or patterns with `*`; at most 100. Default: all types. */
  readonly types?: readonly string[] | undefined;
  /** Resumes behind this cursor. Default: begins with what happens after the connection. */
  readonly lastEventId?: string | undefined;
  /** Most events that wait to be iterated over; one more ends the subscription with SLOW_CONSUMER. Default: 1,000. */
  readonly maxBufferedEvents?: number | undefined;
  /** An event, in the order of the workspace, once. Left out: events wait for whoever iterates over the subscription. */
  readonly onEvent?: ((event: RealtimeEvent, context: EventContext) => void) | undefined;
  /**
   * An error, once. With `willRetry` the client goes on by itself. Without it the subscription waits for `setToken`,
   * which may be called from here.
   */
  readonly onError?: ((error: RealtimeError) => void) | undefined;
  /** The service has let the stream in: once at the start and after each time that it was down. */
  readonly onConnected?: ((connected: StreamConnected, context: StartContext) => void) | undefined;
  /** The stream was connected and is down. Not called for `unsubscribe()` and `close()`. */
  readonly onDisconnected?: ((disconnection: Disconnection) => void) | undefined;
  /** Events between `from` and the next one are lost: reload what you keep of them. */
  readonly onGap?: ((gap: StreamGap, context: EventContext) => void) | undefined;
}

/** What is known of an event beside what its publisher said. */
export interface EventContext {
  /** The place of the event in the history of its workspace: `lastEventId` of a subscription that goes on behind it. */
  readonly cursor: string;
}

/** Where a subscription begins. */
export interface StartContext {
  /** Behind which the events of the subscription begin; `null` where `onGap` is next to tell. */
  readonly cursor: string | null;
}

/** An event as the iteration over a subscription gives it. */
export interface ReceivedEvent extends EventContext {
  readonly event: RealtimeEvent;
}

/** How a stream ended that was connected. */
export interface Disconnection {
  /** Whether the next attempt comes by itself. */
  readonly willReconnect: boolean;
}

/**
 * A subscription. Iterating over it (`for await`) gives its events; leaving the loop unsubscribes. So does `await using`.
 */
export interface Subscription extends AsyncIterable<ReceivedEvent, undefined>, AsyncDisposable {
  /** Ends the subscription; no callback is called after this. */
  unsubscribe(): void;
  /**
   * Resolves when the service has let the stream in for the first time. Rejects with the error if one that is not
   * recoverable comes before, and with CLOSED if the subscription is ended. Stays open over TOKEN_EXPIRED, for `setToken`
   * is the answer to that. Nobody has to await it.
   */
  readonly ready: Promise<void>;
}

const CALLBACKS = ['onEvent', 'onError', 'onConnected', 'onDisconnected', 'onGap'] as const;

/** @throws TypeError that names the option at fault. */
export function checkSubscribeOptions(options: SubscribeOptions): void {
  for (const name of CALLBACKS) checkCallback(options, name);
  checkPatterns('topics', options.topics);
  checkPatterns('types', options.types);
  const { lastEventId, maxBufferedEvents = 1 } = options;
  check(
    'lastEventId',
    lastEventId === undefined || parseCursor(lastEventId) !== null,
    'the cursor of an event',
  );
  checkNumber('maxBufferedEvents', maxBufferedEvents, Number.MAX_SAFE_INTEGER);
}

function checkPatterns(name: string, patterns: readonly string[] = ['*']): void {
  // An empty list is more likely a mistake than the wish for everything.
  const isList = Array.isArray(patterns) && patterns.length > 0 && patterns.length <= MAX_PATTERNS;
  check(
    name,
    isList && patterns.every((pattern) => typeof pattern === 'string' && isPattern(pattern)),
    `1 to ${MAX_PATTERNS} names or patterns`,
  );
}
