import { eventsPath } from '@sluice/protocol';
import { TokenManager } from './auth/token-manager.js';
import {
  type ClientSettings,
  checkClientOptions,
  checkToken,
  type RealtimeClientOptions,
} from './client-options.js';
import { Connection } from './connection/connection.js';
import { FetchTransport } from './connection/fetch-transport.js';
import { type ConnectionState, summaryOf } from './connection/state.js';
import type { Transport } from './connection/transport.js';
import { RealtimeError } from './errors.js';
import {
  checkSubscribeOptions,
  type SubscribeOptions,
  Subscriber,
  type Subscription,
} from './subscription.js';

/**
 * Subscribes to the events of one workspace: gets the tokens, keeps the streams alive, resumes where they broke.
 * Making one does nothing yet; the first subscription connects.
 */
export class RealtimeClient {
  readonly #settings: ClientSettings;
  readonly #tokens: TokenManager;
  readonly #transport: Transport;
  /** One stream a subscription, each with what it ends with. */
  readonly #connections = new Map<Connection, Subscriber>();
  readonly #onAbort = (): void => this.close();
  #isClosed = false;

  /** @throws TypeError that names the options that are wrong or exclude each other. */
  constructor(options: RealtimeClientOptions) {
    this.#settings = checkClientOptions(options);
    const { endpoint, workspace, fetch, source, signal } = this.#settings;
    this.#tokens = new TokenManager(source);
    this.#transport = new FetchTransport({ url: endpoint + eventsPath(workspace), fetch });
    if (signal?.aborted) this.close();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The state of the client's stream; of several, that of the most troubled one. `idle` without a subscription. */
  get state(): ConnectionState {
    if (this.#isClosed) return 'closed';
    return summaryOf([...this.#connections.keys()].map((connection) => connection.state));
  }

  /**
   * Subscribes. The callbacks are called later, never from within.
   * @throws TypeError that names the option at fault; RealtimeError CLOSED once the client is closed.
   */
  subscribe(options: SubscribeOptions): Subscription {
    checkSubscribeOptions(options);
    if (this.#isClosed) throw new RealtimeError('CLOSED');
    const subscriber = new Subscriber(options);
    const connection = new Connection({
      transport: this.#transport,
      tokens: this.#tokens,
      backoff: this.#settings.backoff,
      heartbeatTimeoutMs: this.#settings.heartbeatTimeoutMs,
      topics: options.topics ?? [],
      types: options.types ?? [],
      lastEventId: options.lastEventId ?? null,
      listener: subscriber,
    });
    this.#connections.set(connection, subscriber);
    connection.open();
    return {
      ready: subscriber.ready,
      unsubscribe: () => this.#end(connection, subscriber),
    };
  }

  /**
   * Takes `token` from now on, in place of whatever the client got its tokens by. At once: streams reconnect with it
   * from their last cursor, also out of `failed`, and no event is lost or comes twice. Does nothing once closed.
   * @throws TypeError if `token` cannot be sent as a bearer token.
   */
  setToken(token: string): void {
    const source = checkToken(token);
    if (this.#isClosed) return;
    this.#tokens.replaceSource(source);
    for (const connection of this.#connections.keys()) connection.open();
  }

  /** Ends every subscription and leaves nothing behind. Again: does nothing. */
  close(): void {
    this.#isClosed = true;
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    for (const [connection, subscriber] of this.#connections) this.#end(connection, subscriber);
    this.#tokens.close();
  }

  #end(connection: Connection, subscriber: Subscriber): void {
    this.#connections.delete(connection);
    subscriber.close();
    connection.close();
  }
}
