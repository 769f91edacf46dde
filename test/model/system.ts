import { jest } from '@jest/globals';
import { type ConnectionState, RealtimeClient, type RealtimeError } from '@sluice/sdk';
import { FakePage } from './fake-page.js';
import { MemoryService, type ServiceTraits } from './memory-service.js';
import { TokenDesk } from './token-desk.js';
import { WatchedSubscription, type Wish } from './watched-subscription.js';

const ENDPOINTS = ['http://one.test', 'http://two.test/prefix'] as const;
/** What is published. */
export const TOPICS = ['a.1', 'a.2', 'b.1', 'secret'] as const;
/** Longer than any wait of the client. */
const RECOVERY_MS = 200_000;
/** Several lives of a token. */
const CALM_MS = 600_000;
/** More than this in a calm time is a client that does not settle down. */
const MAX_CALM_REQUESTS = 60;

/** The arrows of ConnectionState. `closed` can be reached from everywhere. */
const ARROWS: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  idle: ['authorizing', 'reconnecting', 'suspended'],
  authorizing: ['connecting', 'connected', 'reconnecting', 'suspended', 'failed', 'idle'],
  connecting: ['authorizing', 'connected', 'reconnecting', 'suspended', 'failed', 'idle'],
  connected: ['authorizing', 'connecting', 'reconnecting', 'suspended', 'failed', 'idle'],
  reconnecting: ['authorizing', 'suspended', 'failed', 'idle'],
  suspended: ['authorizing', 'reconnecting', 'idle', 'failed'],
  failed: ['authorizing', 'reconnecting', 'suspended', 'idle'],
  closed: [],
};

/** What is drawn once for a whole run. */
export interface Setting extends ServiceTraits {
  /** `recipe`: `onError` -> TOKEN_EXPIRED -> `setToken()`. */
  readonly tokens: 'static' | 'provider' | 'recipe';
  readonly suspendWhenHidden: boolean;
  readonly maxAttempts: number | null;
  readonly randomSeed: number;
  /** Whether it ends in the middle of its troubles. */
  readonly closesAtOnce: boolean;
  /** Whether its last trouble is a stream that falls silent, which nothing but time can tell. */
  readonly fallsSilent: boolean;
}

/** Nothing out of the ordinary. */
export const PLAIN: Setting = {
  tokens: 'static',
  suspendWhenHidden: false,
  maxAttempts: null,
  repeatsItself: false,
  clockAheadMs: 0,
  randomSeed: 1,
  closesAtOnce: false,
  fallsSilent: false,
};

/** The client under test, and everything around it. */
export class System {
  readonly service: MemoryService;
  readonly desk: TokenDesk;
  readonly page = new FakePage();
  readonly client: RealtimeClient;
  readonly subscriptions: WatchedSubscription[] = [];
  /** What the client was through, and what it has told of, so far. */
  readonly states: ConnectionState[] = [];
  readonly errors: RealtimeError[] = [];
  readonly #setting: Setting;
  readonly #abort = new AbortController();
  readonly #violations: string[] = [];
  readonly #signalListeners = new Set<unknown>();
  #state: ConnectionState = 'idle';
  #lastToken: string;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.service = new MemoryService(ENDPOINTS[0], setting);
    this.desk = new TokenDesk(this.service);
    this.#lastToken = this.desk.issue();
    this.page.install();
    this.#watchSignalListeners();
    this.client = new RealtimeClient({
      endpoint: ENDPOINTS[0],
      workspace: 'acme',
      fetch: this.service.fetch,
      signal: this.#abort.signal,
      suspendWhenHidden: setting.suspendWhenHidden,
      ...(setting.maxAttempts !== null && { maxAttempts: setting.maxAttempts }),
      onError: (error) => this.#onError(error),
      ...(setting.tokens === 'provider'
        ? { authToken: this.desk.getToken }
        : { token: this.#lastToken }),
    });
    this.client.onStateChange((state) => this.#onState(state));
  }

  get isClosed(): boolean {
    return this.client.state === 'closed';
  }

  subscribe(wish: Wish): void {
    if (this.isClosed) return;
    this.subscriptions.push(new WatchedSubscription(this.client, this.service.log, wish));
  }

  /** The subscription number `index` of those that go on, counted around. */
  unsubscribe(index: number): void {
    const ongoing = this.subscriptions.filter(({ isEnded }) => !isEnded);
    ongoing[index % ongoing.length]?.end();
  }

  setToken(kind: 'same' | 'new' | 'bad'): void {
    if (kind === 'new') this.#lastToken = this.desk.issue();
    if (kind === 'bad') this.#lastToken = this.service.issueToken(CALM_MS, false);
    this.client.setToken(this.#lastToken);
  }

  move(index: 0 | 1, withToken: boolean): void {
    if (this.isClosed) return;
    this.service.endpoint = ENDPOINTS[index];
    if (withToken) this.#lastToken = this.desk.issue();
    this.client.updateEndpoint({
      baseUrl: ENDPOINTS[index],
      ...(withToken && { token: this.#lastToken }),
    });
  }

  close(how: 'close' | 'abort'): void {
    // Said before: nothing may be heard from within either.
    for (const subscription of this.subscriptions) subscription.onEnd();
    if (how === 'abort') this.#abort.abort();
    else this.client.close();
  }

  /** Lets time pass, one timer after another, each with all that follows from it. */
  async advance(ms: number): Promise<void> {
    await settled();
    let isOver = false;
    setTimeout(() => {
      isOver = true;
    }, ms);
    while (!isOver) {
      jest.advanceTimersToNextTimer();
      await settled();
    }
  }

  /** @throws Error that names everything that has gone wrong so far.
   * @param isAtRest whether all that follows from the last step has happened */
  check(isAtRest = true): void {
    const { service, desk, subscriptions } = this;
    const live = service.openStreams.filter(({ isLive }) => isLive).length;
    const faults = [...this.#violations, ...service.violations, ...desk.violations];
    for (const { faults: told, wish } of subscriptions) {
      faults.push(...told.map((fault) => `${JSON.stringify(wish)}: ${fault}`));
    }
    if (isAtRest && live > 1) faults.push('two live streams');
    if (subscriptions.some(({ gaps }) => gaps > service.gaps)) faults.push('a gap out of nothing');
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }

  /** All troubles end: then every subscription that can be served is, has missed nothing, and nothing stays behind. */
  async conclude(): Promise<void> {
    if (!this.isClosed && !this.#setting.closesAtOnce) await this.#checkCalm();
    this.close('close');
    await this.#checkClosed();
  }

  dispose(): void {
    this.client.close();
    this.page.remove();
  }

  async #checkCalm(): Promise<void> {
    this.#heal();
    await settled();
    if (this.#setting.fallsSilent) this.service.stallStreams();
    const { requests } = this.service;
    // Before a token of that time ends: the client comes to itself without a renewal, and then lives through some.
    await this.advance(RECOVERY_MS);
    await this.#checkServed(true);
    await this.advance(CALM_MS);
    if (this.service.requests > requests + MAX_CALM_REQUESTS) this.#fault('no rest in the calm');
    await this.#checkServed(true);
    this.setToken('new');
    await this.advance(RECOVERY_MS);
    await this.#checkServed(false);
  }

  #heal(): void {
    this.desk.mood = 'good';
    this.service.heal();
    // Not for nothing: a page that comes online has every stream opened anew.
    if (this.page.isOffline) this.page.goOnline();
    this.page.show();
    this.page.bringBack();
  }

  async #checkServed(mayHaveFailed: boolean): Promise<void> {
    for (const topic of TOPICS) this.service.publish(topic);
    await settled();
    const { state, lastError } = this.client;
    const ongoing = this.subscriptions.filter(({ isEnded }) => !isEnded);
    const servable = ongoing.filter(({ isForbidden }) => !isForbidden);
    if (ongoing.length === 0) {
      if (state !== 'idle') this.#fault(`${state} without a subscription`);
    } else if (state === 'failed') {
      const isFair = servable.length === 0 || (mayHaveFailed && this.#mayFailWith(lastError));
      if (!isFair) this.#fault(`failed without a reason: ${lastError}`);
    } else if (state === 'connected') {
      for (const { isConnected, missing, wish } of servable) {
        if (!isConnected) this.#fault(`${JSON.stringify(wish)} is not connected`);
        if (missing !== null) this.#fault(`${JSON.stringify(wish)} has missed ${missing}`);
      }
    } else this.#fault(`${state} in the calm: ${lastError}`);
    this.check();
  }

  /** Whether the troubles of this run account for a client that has given up. */
  #mayFailWith(error: RealtimeError | null): boolean {
    if (error === null || error.willRetry) return false;
    const { tokens, maxAttempts } = this.#setting;
    if (maxAttempts !== null) return true;
    if (error.code === 'TOKEN_PROVIDER_ERROR') return this.desk.moods.has('stops');
    // A token that runs out in its time is what a provider is there for.
    if (error.code === 'TOKEN_EXPIRED' && tokens !== 'provider') return true;
    if (error.code === 'TOKEN_EXPIRED' && this.desk.moods.has('stale')) return true;
    return this.service.surprises.has(error.code);
  }

  #fault(text: string): void {
    this.#violations.push(text);
  }

  async #checkClosed(): Promise<void> {
    await settled();
    this.check();
    const { service, desk, page } = this;
    const left = {
      timers: jest.getTimerCount(),
      streams: service.openStreams.length,
      tokens: desk.waiting,
      listeners: page.listeners.length + this.#signalListeners.size,
    };
    if (Object.values(left).some((count) => count > 0)) {
      throw new Error(`left after the close: ${JSON.stringify(left)}`);
    }
  }

  #onState(state: ConnectionState): void {
    const isArrow = state === 'closed' || ARROWS[this.#state].includes(state);
    if (!isArrow) this.#fault(`${this.#state} -> ${state} is no arrow`);
    this.#state = state;
    this.states.push(state);
  }

  #onError(error: RealtimeError): void {
    this.errors.push(error);
    if (this.#setting.tokens !== 'recipe' || error.code !== 'TOKEN_EXPIRED') return;
    this.#lastToken = this.desk.issue();
    this.client.setToken(this.#lastToken);
  }

  #watchSignalListeners(): void {
    const { signal } = this.#abort;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...parameters: Parameters<typeof add>): void => {
      this.#signalListeners.add(parameters[1]);
      add(...parameters);
    };
    signal.removeEventListener = (...parameters: Parameters<typeof remove>): void => {
      this.#signalListeners.delete(parameters[1]);
      remove(...parameters);
    };
  }
}

/** Resolves when all that follows from what has happened so far has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
