/** As much of `navigator.locks` as is needed. */
export interface Locks {
  request(
    name: string,
    options: { readonly steal?: boolean; readonly signal?: AbortSignal },
    callback: () => Promise<void>,
  ): Promise<void>;
}

/** As much of a BroadcastChannel as is needed. What it brings was sent by any code of the origin. */
export interface TabChannel {
  onmessage: ((event: MessageEvent<unknown>) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** How a tab reaches the others. */
export interface TabEnvironment {
  /** `null`: there are no other tabs to agree with. */
  readonly locks: Locks | null;
  openChannel(name: string): TabChannel;
  newId(): string;
}

/** What the page has; where it lacks something (Node, a page without a secure origin), the tab is alone in its world. */
export function tabEnvironment(): TabEnvironment {
  const { navigator, BroadcastChannel, crypto, origin } = globalThis as Partial<typeof globalThis>;
  const locks = navigator?.locks;
  // A sandboxed page has the origin "null", which it shares with nobody.
  const canShare = origin !== undefined && origin !== 'null' && locks && BroadcastChannel && crypto;
  if (!canShare) return aloneEnvironment();
  return {
    locks,
    openChannel: (name) => new BroadcastChannel(name),
    newId: () => crypto.randomUUID(),
  };
}

/** Channels that do not leave this object. */
export function aloneEnvironment(): TabEnvironment {
  const channels = new Set<LocalChannel>();
  let lastId = 0;
  return {
    locks: null,
    openChannel: (name) => new LocalChannel(name, channels),
    newId: () => `local-${++lastId}`,
  };
}

class LocalChannel implements TabChannel {
  onmessage: TabChannel['onmessage'] = null;
  readonly #name: string;
  readonly #channels: Set<LocalChannel>;

  constructor(name: string, channels: Set<LocalChannel>) {
    this.#name = name;
    this.#channels = channels;
    channels.add(this);
  }

  postMessage(data: unknown): void {
    for (const other of this.#channels) {
      if (other === this || other.#name !== this.#name) continue;
      // Later, never from within; and not any more where it was closed meanwhile.
      queueMicrotask(() => other.#receive(data));
    }
  }

  close(): void {
    this.#channels.delete(this);
  }

  #receive(data: unknown): void {
    if (this.#channels.has(this)) this.onmessage?.(new MessageEvent('message', { data }));
  }
}
