import type { RealtimeClient } from '../client.js';
import type { RealtimeError } from '../errors.js';
import { Seat } from './seat.js';
import type { TabChannel, TabEnvironment } from './tab-environment.js';
import { type Attach, presenceName, readTabMessage, streamName } from './tab-message.js';

/** Most streams that the tabs of one origin may have together: far above any real number. */
const MAX_SEATS = 1_000;

/** Makes the client whose one stream the tabs share. `onActivity` hears of each sign of life, and of how far it has come. */
export type CreateClient = (onActivity: (cursor: string | null) => void) => RealtimeClient;

/** The tab that leads: it alone has a stream and a token, and tells the other tabs, and itself, what comes. */
export class Leader {
  /** Resolves when it has ceased to lead. */
  readonly closed: Promise<void>;
  readonly #name: string;
  readonly #environment: TabEnvironment;
  readonly #client: RealtimeClient;
  readonly #channel: TabChannel;
  readonly #seats = new Map<string, Seat>();
  readonly #tabs = new Set<string>();
  readonly #closing = new AbortController();
  #onClosed: () => void = () => {};

  /** @param onFailed called when its client has given up, and another tab may have better luck */
  constructor(
    name: string,
    environment: TabEnvironment,
    createClient: CreateClient,
    onFailed: (error: RealtimeError | null) => void,
  ) {
    this.#name = name;
    this.#environment = environment;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#client = createClient((cursor) => {
      for (const seat of this.#seats.values()) seat.onActivity(cursor);
    });
    this.#client.onStateChange((state) => {
      // Later: the client is in the middle of its work.
      if (state === 'failed') queueMicrotask(() => onFailed(this.#client.lastError));
    });
    this.#channel = environment.openChannel(name);
    this.#channel.onmessage = ({ data }) => {
      const message = readTabMessage(data);
      if (message?.type === 'attach') this.#attach(message);
    };
    this.#channel.postMessage({ type: 'leading' });
  }

  setToken(token: string): void {
    this.#client.setToken(token);
  }

  close(): void {
    this.#closing.abort();
    this.#channel.close();
    for (const seat of this.#seats.values()) seat.close();
    this.#client.close();
    this.#onClosed();
  }

  #attach(attach: Attach): void {
    const { stream, tab } = attach;
    if (this.#seats.has(stream) || this.#seats.size >= MAX_SEATS) return;
    const channel = this.#environment.openChannel(streamName(this.#name, stream));
    const seat = new Seat(this.#client, channel, attach, () => this.#seats.delete(stream));
    this.#closeSeats((other) => other.tab === tab && other.isOver);
    this.#seats.set(stream, seat);
    if (!this.#tabs.has(tab)) void this.#watch(tab);
  }

  /** Waits for the end of a tab, however it comes: its lock is free then. */
  async #watch(tab: string): Promise<void> {
    this.#tabs.add(tab);
    const { signal } = this.#closing;
    try {
      await this.#environment.locks?.request(
        presenceName(this.#name, tab),
        { signal },
        async () => {
          this.#tabs.delete(tab);
          this.#closeSeats((seat) => seat.tab === tab);
        },
      );
    } catch {
      // It has ceased to lead, or there are no locks: the seats end with it.
    }
  }

  #closeSeats(matches: (seat: Seat) => boolean): void {
    for (const seat of this.#seats.values()) if (matches(seat)) seat.close();
  }
}
