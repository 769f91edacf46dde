import type {
  RealtimeClient,
  RealtimeError,
  RealtimeEvent,
  StreamConnected,
  StreamGap,
  SubscribeOptions,
  Subscription,
} from '@sluice/sdk';

const DEADLINE_MS = 15_000;

/** Takes down what a subscription is told, and the states of its client; a scenario waits for it. */
export class Diary {
  readonly subscription: Subscription;
  readonly events: RealtimeEvent[] = [];
  readonly cursors: string[] = [];
  readonly errors: RealtimeError[] = [];
  readonly connected: StreamConnected[] = [];
  readonly gaps: StreamGap[] = [];
  /** `willReconnect` of each disconnection. */
  readonly disconnected: boolean[] = [];
  readonly states: string[] = [];
  readonly #wakers = new Set<() => void>();

  constructor(client: RealtimeClient, options: SubscribeOptions) {
    client.onStateChange((state) => this.#take(this.states, state));
    this.subscription = client.subscribe({
      ...options,
      onEvent: (event, context) => {
        this.cursors.push(context.cursor);
        this.#take(this.events, event);
        options.onEvent?.(event, context);
      },
      onError: (error) => {
        this.#take(this.errors, error);
        options.onError?.(error);
      },
      onConnected: (connected) => this.#take(this.connected, connected),
      onGap: (gap) => this.#take(this.gaps, gap),
      onDisconnected: ({ willReconnect }) => this.#take(this.disconnected, willReconnect),
    });
  }

  /** The numbers that the events carry, in the order in which they came. */
  get numbers(): number[] {
    return this.events.map(({ data }) => (data as { readonly n: number }).n);
  }

  get codes(): string[] {
    return this.errors.map(({ code }) => code);
  }

  /** Resolves once `isSo` holds; looked at after each callback. */
  async until(what: string, isSo: (diary: this) => boolean): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!isSo(this)) {
      const isInTime = await this.#nextEntry(deadline - Date.now());
      if (!isInTime) throw new Error(`waited ${DEADLINE_MS} ms until ${what}; ${this.describe()}`);
    }
  }

  describe(): string {
    const { events, numbers, codes, states, disconnected, gaps } = this;
    const connected = this.connected.map(({ resumed }) => resumed);
    const last = numbers.slice(-5);
    return JSON.stringify({
      events: events.length,
      last,
      codes,
      states,
      connected,
      disconnected,
      gaps,
    });
  }

  #take<Entry>(list: Entry[], entry: Entry): void {
    list.push(entry);
    for (const wake of this.#wakers) wake();
  }

  async #nextEntry(deadlineMs: number): Promise<boolean> {
    let wake: (isInTime: boolean) => void = () => {};
    const woken = new Promise<boolean>((resolve) => {
      wake = resolve;
    });
    const onEntry = () => wake(true);
    const timer = setTimeout(() => wake(false), deadlineMs);
    this.#wakers.add(onEntry);
    try {
      return await woken;
    } finally {
      clearTimeout(timer);
      this.#wakers.delete(onEntry);
    }
  }
}
