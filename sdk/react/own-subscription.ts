import type { RealtimeClient } from '../client.js';
import type { RealtimeError } from '../errors.js';
import type { SubscribeOptions } from '../subscription/subscribe-options.js';

/** As `SubscribeOptions`, without what is of use to an iteration only. */
export interface UseSubscriptionOptions
  extends Pick<SubscribeOptions, 'onConnected' | 'onDisconnected' | 'onError' | 'onGap'> {
  /** Names of topics, or patterns with `*`. Compared by value, so that a list may be written in place. Default: all. */
  readonly topics?: readonly string[] | undefined;
  /** Types of events, or patterns with `*`. Compared by value. Default: all. */
  readonly types?: readonly string[] | undefined;
  /** An event, in the order of the workspace, once. */
  readonly onEvent?: SubscribeOptions['onEvent'];
  /** Whether there is a subscription at all. Default: true. */
  readonly enabled?: boolean | undefined;
  /**
   * Where the component begins: behind this cursor. It counts until the service has let the component in; from then on it
   * goes on where it was. Default: begins with what happens after the connection.
   */
  readonly lastEventId?: string | undefined;
}

/** How a subscription of a component is. */
export interface SubscriptionSnapshot {
  /** Whether the service has let the subscription in, and its events flow. */
  readonly isReady: boolean;
  /** Why they do not; `null` where there was no error since they last did. Without `willRetry` it waits for `setToken`. */
  readonly error: RealtimeError | null;
}

/** What a component has before it has a subscription, and on the server. */
export const NO_SUBSCRIPTION: SubscriptionSnapshot = { isReady: false, error: null };

/** The client of a provider, and whose history it reads: a cursor of one place means nothing at another. */
export interface Realtime {
  /** `null` where there is none (yet). */
  readonly client: RealtimeClient | null;
  readonly place: unknown;
}

/** One subscription, and what it was made for. */
interface Life {
  readonly client: RealtimeClient;
  readonly request: string;
  /** No callback is called after this. */
  end(): void;
}

/** How far the component has come, of what it asked for then. */
interface Progress {
  readonly place: unknown;
  readonly request: string;
  readonly cursor: string;
}

/**
 * The subscription of one component. It heeds the options from render to render, calls the callbacks of the last one, and
 * subscribes anew only where the client or what is asked for is another.
 * Nothing is done before the first `follow`, so that one that never gets that far leaves nothing behind.
 */
export class OwnSubscription {
  #options: UseSubscriptionOptions = {};
  #life: Life | null = null;
  #snapshot = NO_SUBSCRIPTION;
  /** Since the service has let it in. */
  #progress: Progress | null = null;
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): SubscriptionSnapshot => this.#snapshot;

  /** The options of the render that is seen from now on: its callbacks are the ones that are called. */
  heed(options: UseSubscriptionOptions): void {
    this.#options = options;
  }

  /** @throws TypeError that names the option at fault. */
  follow({ client, place }: Realtime): void {
    // One that is closed is about to be replaced by its provider, or will never be again.
    if (client === null || client.state === 'closed' || this.#options.enabled === false) {
      this.end();
      return;
    }
    const request = requestOf(this.#options);
    if (this.#life?.client === client && this.#life.request === request) return;
    this.end();
    this.#life = this.#begin(client, place, request);
  }

  /** Until the next `follow`, which goes on where this one was. */
  end(): void {
    this.#life?.end();
    this.#life = null;
    this.#tell(NO_SUBSCRIPTION);
  }

  #begin(client: RealtimeClient, place: unknown, request: string): Life {
    const { topics, types } = this.#options;
    const lastEventId = this.#start(place, request);
    let isOver = false;
    const whileAlive =
      <Args extends readonly unknown[]>(callback: (...args: Args) => void) =>
      (...args: Args): void => {
        if (!isOver) callback(...args);
      };
    const comeTo = (cursor: string): void => {
      this.#progress = { place, request, cursor };
    };
    const subscription = client.subscribe({
      ...(topics !== undefined && { topics }),
      ...(types !== undefined && { types }),
      ...(lastEventId !== undefined && { lastEventId }),
      onEvent: whileAlive((event, context) => {
        comeTo(context.cursor);
        this.#options.onEvent?.(event, context);
      }),
      onGap: whileAlive((gap, context) => {
        comeTo(context.cursor);
        this.#options.onGap?.(gap, context);
      }),
      onConnected: whileAlive((connected, context) => {
        // Without a cursor there is a gap. One that is paused before that is told must meet it again.
        if (context.cursor !== null) comeTo(context.cursor);
        this.#tell({ isReady: true, error: null });
        this.#options.onConnected?.(connected, context);
      }),
      onDisconnected: whileAlive((disconnection) => {
        this.#tell({ ...this.#snapshot, isReady: false });
        this.#options.onDisconnected?.(disconnection);
      }),
      onError: whileAlive((error) => {
        this.#tell({ ...this.#snapshot, error });
        this.#options.onError?.(error);
      }),
    });
    const unwatch = client.onStateChange(
      whileAlive((state) => {
        if (state === 'closed') this.#tell(NO_SUBSCRIPTION);
      }),
    );
    return {
      client,
      request,
      end: () => {
        isOver = true;
        unwatch();
        // Whoever takes its place in the same turn (other topics, another component, Strict Mode's second mount) shall
        // find the stream open, and go on where this one was.
        queueMicrotask(() => subscription.unsubscribe());
      },
    };
  }

  /** Where a subscription begins. One for something else joins the stream of the one before, which has lost nothing. */
  #start(place: unknown, request: string): string | undefined {
    const progress = this.#progress;
    if (progress === null || progress.place !== place) return this.#options.lastEventId;
    return progress.request === request ? progress.cursor : undefined;
  }

  #tell(snapshot: SubscriptionSnapshot): void {
    const { isReady, error } = this.#snapshot;
    if (snapshot.isReady === isReady && snapshot.error === error) return;
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener();
  }
}

/** What is asked for, as text that can be compared. The order of a list says nothing. */
function requestOf({ topics, types }: UseSubscriptionOptions): string {
  return JSON.stringify([topics, types].map((list) => list && [...list].sort()));
}
