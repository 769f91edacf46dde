import { StaticToken } from './auth/static-token.js';
import { TokenManager } from './auth/token-manager.js';
import { checkToken, tokenSourceOf } from './auth/token-options.js';
import {
  type ClientSettings,
  checkClientOptions,
  checkEndpoint,
  type RealtimeClientOptions,
} from './client-options.js';
import { Connection } from './connection/connection.js';
import { Retry } from './connection/retry.js';
import type { ConnectionState } from './connection/state.js';
import { isOffline, watchSurroundings } from './connection/surroundings.js';
import { RealtimeError } from './errors.js';
import {
  checkSubscribeOptions,
  type SubscribeOptions,
  type Subscription,
} from './subscription/subscribe-options.js';
import { guard, Subscriber } from './subscription/subscriber.js';
import { SubscriptionSet } from './subscription/subscription-set.js';
import { FetchTransport } from './transport/fetch-transport.js';
import { lazyTransport } from './transport/lazy-transport.js';
import type { Transport } from './transport/transport.js';

/** Stands for the token that the tabs share; whichever tab leads has that. */
const SHARED_TOKEN = 'shared';

/**
 * Subscribes to the events of one workspace: gets the tokens, keeps the stream alive, resumes where it broke. All its
 * subscriptions share one stream. Making a client does nothing yet; the first subscription connects.
 */
export class RealtimeClient {
  readonly #settings: ClientSettings;
  readonly #tokens: TokenManager;
  readonly #onError = (error: RealtimeError): void => guard(() => this.#settings.onError?.(error));
  readonly #subscriptions = new SubscriptionSet(this.#onError);
  readonly #connection: Connection;
  readonly #stateListeners = new Set<() => void>();
  readonly #onAbort = (): void => this.close();
  #endpoint: string;
  #unwatch: (() => void) | null = null;

  /**
   * @param onActivity for the SDK's own use
   * @throws TypeError that names the options that are wrong or exclude each other.
   */
  constructor(options: RealtimeClientOptions, onActivity?: (cursor: string | null) => void) {
    const settings = checkClientOptions(options);
    const { fetch, signal, workspace, heartbeatTimeoutMs } = settings;
    this.#settings = settings;
    this.#endpoint = settings.endpoint;
    const endpoint = (): string => this.#endpoint;
    const isShared = options.crossTab !== undefined;
    const source = tokenSourceOf(options, endpoint, fetch);
    this.#tokens = new TokenManager(isShared ? new StaticToken(SHARED_TOKEN) : source, () =>
      this.#connection.renew(),
    );
    this.#connection = new Connection({
      endpoint,
      workspace,
      heartbeatTimeoutMs,
      transport: transportOf(options, settings),
      tokens: this.#tokens,
      subscriptions: this.#subscriptions,
      isOffline,
      retry: new Retry(settings.backoff, settings.maxAttempts),
      onState: () => this.#stateListeners.forEach(guard),
      onActivity,
    });
    if (signal?.aborted) this.close();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Where the stream is in its life; `idle` without a subscription. */
  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Why the stream is down or was not let in; `null` while it is connected, and before there was an error. */
  get lastError(): RealtimeError | null {
    return this.#connection.lastError;
  }

  /** Calls `listener` after each change of `state`. The function that it returns ends that. */
  onStateChange(listener: (state: ConnectionState) => void): () => void {
    const entry = (): void => listener(this.state);
    this.#stateListeners.add(entry);
    return () => this.#stateListeners.delete(entry);
  }

  /**
   * Subscribes. The callbacks are called later, never from within.
   * @throws TypeError that names the option at fault; RealtimeError CLOSED once the client is closed.
   */
  subscribe(options: SubscribeOptions = {}): Subscription {
    checkSubscribeOptions(options);
    if (this.state === 'closed') throw new RealtimeError('CLOSED');
    const unsubscribe = (): void => {
      subscriber.close();
      if (this.#subscriptions.delete(subscriber)) this.#refresh();
    };
    const subscriber = new Subscriber(options, (error) => {
      unsubscribe();
      this.#onError(error);
    });
    this.#subscriptions.add(subscriber);
    this.#refresh();
    return {
      ready: subscriber.ready,
      unsubscribe,
      [Symbol.asyncIterator]: () => {
        const queue = subscriber.queue();
        return {
          next: () => queue.next(),
          return: async () => {
            unsubscribe();
            return { done: true, value: undefined };
          },
        };
      },
      [Symbol.asyncDispose]: async () => unsubscribe(),
    };
  }

  /**
   * Takes `token` from now on. At once: the stream is renewed with it, or opened where it is down, also out of `failed`,
   * and no event is lost or comes twice. Where the client has a way of getting tokens, that is asked again before this
   * one ends. Does nothing with the token that it has already, and once closed.
   * @throws TypeError if `token` cannot be sent as a bearer token.
   */
  setToken(token: string): void {
    checkToken(token);
    if (this.state !== 'closed' && this.#tokens.set(token)) this.#connection.reopen();
  }

  /**
   * Moves to another address of the service, with another token if there is one. The stream goes on at its cursor.
   * @throws TypeError that names what is wrong.
   */
  updateEndpoint({ baseUrl, token }: { readonly baseUrl: string; readonly token?: string }): void {
    const endpoint = checkEndpoint('baseUrl', baseUrl);
    if (token !== undefined) checkToken(token);
    if (this.state === 'closed') return;
    this.#endpoint = endpoint;
    if (token !== undefined) this.#tokens.set(token);
    this.#connection.reopen();
  }

  /** Opens the stream anew at once, also out of `failed`. Does nothing without a subscription, and once closed. */
  reconnect(): void {
    this.#connection.reopen();
  }

  /** Ends every subscription and leaves nothing behind. Again: does nothing. */
  close(): void {
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    this.#subscriptions.close();
    this.#tokens.close();
    this.#connection.close();
    this.#refresh();
    this.#stateListeners.clear();
  }

  /** The subscriptions have changed. What happens around the client concerns it as long as there is one. */
  #refresh(): void {
    if (this.#subscriptions.size > 0) {
      this.#unwatch ??= watchSurroundings(
        this.#connection,
        this.#settings.suspendWhenHidden === true,
      );
    } else {
      this.#unwatch?.();
      this.#unwatch = null;
    }
    this.#connection.refresh();
  }
}

function transportOf(options: RealtimeClientOptions, settings: ClientSettings): Transport {
  const { transport, crossTab, fetch, queryToken = false } = settings;
  const isShared = crossTab !== undefined;
  if (transport === 'fetch' && !isShared) return new FetchTransport(fetch);
  return lazyTransport(async () => {
    if (isShared) {
      const { sharedTransport } = await import('./tabs/shared-transport.js');
      return sharedTransport(RealtimeClient, options, SHARED_TOKEN);
    }
    const { EventSourceTransport } = await import('./transport/event-source-transport.js');
    return new EventSourceTransport({ fetch, queryToken });
  });
}
