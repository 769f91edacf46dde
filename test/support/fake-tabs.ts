import { AsyncLocalStorage } from 'node:async_hooks';
import { type FetchLike, RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import { SubscriptionRecorder } from './subscription-recorder.js';

/** Which tab the code at hand belongs to: all tabs of a test live in this one process. */
const currentTab = new AsyncLocalStorage<FakeTab>();

const NATIVE = { BroadcastChannel, setTimeout, clearTimeout };

interface LockRequest {
  readonly tab: FakeTab | undefined;
  readonly callback: () => Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * The tabs of one origin: Web Locks as the standard describes them, and Node's own BroadcastChannel. While it is there,
 * the globals of this process are those of a page. Use it with `using`.
 */
export class FakeTabs implements Disposable {
  /** All that was ever said on a channel. */
  readonly messages: unknown[] = [];
  /** What of it has come to a tab. */
  readonly heard: unknown[] = [];
  readonly openChannels = new Set<object>();
  /** The timers of all tabs that are neither cleared nor over. */
  readonly timers = new Set<unknown>();
  readonly #held = new Map<string, LockRequest>();
  readonly #queues = new Map<string, LockRequest[]>();
  /** Whether the page may not use its locks, as where the browser was told to keep nothing for the site. */
  refuses = false;
  readonly #globals: readonly (readonly [string, PropertyDescriptor | undefined])[];

  constructor() {
    const { messages, heard, openChannels } = this;
    class TabChannel {
      readonly #channel: BroadcastChannel;
      readonly #tab = currentTab.getStore();

      constructor(name: string) {
        this.#channel = new NATIVE.BroadcastChannel(name);
        openChannels.add(this);
      }

      set onmessage(listener: (event: unknown) => void) {
        const hear = (event: unknown): void => {
          listener(event);
          heard.push((event as { data: unknown }).data);
        };
        this.#channel.onmessage = (event: unknown) => {
          const tab = this.#tab;
          if (tab === undefined) hear(event);
          else tab.whenAwake(() => openChannels.has(this) && currentTab.run(tab, hear, event));
        };
      }

      postMessage(message: unknown): void {
        const post = (): void => {
          messages.push(message);
          this.#channel.postMessage(message);
        };
        if (this.#tab === undefined) post();
        else this.#tab.whenAwake(post);
      }

      close(): void {
        openChannels.delete(this);
        this.#channel.close();
      }
    }
    const page = {
      BroadcastChannel: TabChannel,
      navigator: { onLine: true, locks: { request: this.#request } },
      origin: 'https://app.example.com',
      setTimeout: this.#setTimeout,
      clearTimeout: this.#clearTimeout,
    };
    this.#globals = Object.entries(page).map(([name, value]) => {
      const before = Object.getOwnPropertyDescriptor(globalThis, name);
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
      return [name, before];
    });
  }

  /** The names of the locks that are held. */
  get locks(): readonly string[] {
    return [...this.#held.keys()];
  }

  open(): FakeTab {
    return new FakeTab((tab) => this.#release((request) => request.tab === tab));
  }

  [Symbol.dispose](): void {
    for (const [name, before] of this.#globals) {
      if (before === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, before);
    }
  }

  readonly #setTimeout = (callback: () => void, ms: number): unknown => {
    const timer = NATIVE.setTimeout(() => {
      this.timers.delete(timer);
      callback();
    }, ms);
    if (currentTab.getStore() !== undefined) this.timers.add(timer);
    return timer;
  };

  readonly #clearTimeout = (timer: NodeJS.Timeout | undefined): void => {
    this.timers.delete(timer);
    NATIVE.clearTimeout(timer);
  };

  readonly #request = (
    name: string,
    { steal = false, signal }: { steal?: boolean; signal?: AbortSignal },
    callback: () => Promise<void>,
  ): Promise<void> =>
    new Promise((resolve, reject) => {
      if (this.refuses) throw new DOMException('refused', 'SecurityError');
      const request = { tab: currentTab.getStore(), callback, resolve, reject };
      if (request.tab?.isGone) return;
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      if (steal) {
        this.#held.get(name)?.reject(new DOMException('stolen', 'AbortError'));
        this.#held.delete(name);
        queue.unshift(request);
      } else {
        queue.push(request);
      }
      signal?.addEventListener('abort', () => {
        if (!queue.includes(request)) return;
        queue.splice(queue.indexOf(request), 1);
        reject(signal.reason);
      });
      queueMicrotask(() => this.#grant(name));
    });

  #grant(name: string): void {
    const request = this.#held.has(name) ? undefined : this.#queues.get(name)?.shift();
    if (request === undefined) return;
    this.#held.set(name, request);
    const { tab, callback, resolve } = request;
    const held = tab === undefined ? callback() : currentTab.run(tab, callback);
    void held.then(() => {
      this.#release((other) => other === request);
      resolve();
    });
  }

  #release(matches: (request: LockRequest) => boolean): void {
    for (const [name, queue] of this.#queues) {
      this.#queues.set(
        name,
        queue.filter((request) => !matches(request) || request.tab?.isGone !== true),
      );
      const holder = this.#held.get(name);
      if (holder !== undefined && matches(holder)) this.#held.delete(name);
      this.#grant(name);
    }
  }
}

/** One tab. What runs in it is part of it, with all that comes of that. */
export class FakeTab {
  isGone = false;
  /** What it will hear and say when it wakes up; `null` while it is awake. */
  #kept: (() => unknown)[] | null = null;
  readonly #crash = new AbortController();
  readonly #onCrash: (tab: FakeTab) => void;

  constructor(onCrash: (tab: FakeTab) => void) {
    this.#onCrash = onCrash;
  }

  run<Result>(work: () => Result): Result {
    return currentTab.run(this, work);
  }

  /** The `fetch` of this tab: nothing of it is left after a crash. */
  readonly fetch: FetchLike = (url, init) => {
    if (this.isGone) return new Promise(() => {});
    const signal = AbortSignal.any([init.signal, this.#crash.signal]);
    return fetch(url, { ...init, signal });
  };

  whenAwake(work: () => unknown): void {
    if (this.#kept === null) work();
    else if (!this.isGone) this.#kept.push(work);
  }

  /** Neither hears nor says anything until `wake`; its locks stay held. */
  hang(): void {
    this.#kept ??= [];
  }

  wake(): void {
    const kept = this.#kept ?? [];
    this.#kept = null;
    for (const work of kept) work();
  }

  /** Is gone at once, without a word. */
  crash(): void {
    this.hang();
    this.isGone = true;
    this.#onCrash(this);
    this.#crash.abort();
  }
}

/** A tab, the client in it, and what its subscription is told. */
export class TabPage extends SubscriptionRecorder {
  readonly tab: FakeTab;
  readonly client: RealtimeClient;

  constructor(tab: FakeTab, options: RealtimeClientOptions, topics?: readonly string[]) {
    super();
    this.tab = tab;
    this.client = tab.run(() => new RealtimeClient(options));
    tab.run(() => this.client.subscribe({ ...this, ...(topics !== undefined && { topics }) }));
  }

  setToken(token: string): void {
    this.tab.run(() => this.client.setToken(token));
  }

  connects(): Promise<void> {
    return this.until(({ connected }) => connected.length > 0);
  }

  gets(count: number): Promise<void> {
    return this.until(({ events }) => events.length >= count);
  }
}
