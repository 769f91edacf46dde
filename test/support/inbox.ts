/** How long a test waits for what should happen, unless it says otherwise. */
export const DEADLINE_MS = 10_000;

interface Waiter<Item> {
  readonly matches: (item: Item) => boolean;
  readonly resolve: (item: Item) => void;
  readonly reject: (error: Error) => void;
}

/** What has arrived so far, in order; a test waits for what is still to come. */
export class Inbox<Item> {
  readonly #items: Item[] = [];
  readonly #waiters = new Set<Waiter<Item>>();
  readonly #name: string;
  #closed: Error | null = null;
  /** Everything before it has been taken by `next`. */
  #taken = 0;

  /** @param name says in a failure what was waited for, such as "a line of output". */
  constructor(name: string) {
    this.#name = name;
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  push(item: Item): void {
    this.#items.push(item);
    for (const waiter of this.#waiters) {
      if (waiter.matches(item)) waiter.resolve(item);
    }
  }

  /** Nothing comes any more: whoever waits is told so. */
  close(reason: string): void {
    this.#closed ??= new Error(`no more of ${this.#name}: ${reason}`);
    for (const waiter of this.#waiters) waiter.reject(this.#closed);
  }

  /** The first item that matches, of those that came and those to come. */
  async find(matches: (item: Item) => boolean, deadlineMs = DEADLINE_MS): Promise<Item> {
    const found = this.#items.find(matches);
    return found === undefined ? await this.#wait(matches, deadlineMs) : found;
  }

  /** The first match behind the one that `next` gave before; what lies between is passed over. */
  async next(
    matches: (item: Item) => boolean = () => true,
    deadlineMs = DEADLINE_MS,
  ): Promise<Item> {
    let index = this.#items.findIndex((item, at) => at >= this.#taken && matches(item));
    if (index < 0) {
      const item = await this.#wait(matches, deadlineMs);
      index = this.#items.indexOf(item, this.#taken);
    }
    this.#taken = index + 1;
    return this.#items[index] as Item;
  }

  /** Waits until `count` items have come; gives all that are there then. */
  async atLeast(count: number, deadlineMs = DEADLINE_MS): Promise<readonly Item[]> {
    if (this.#items.length < count) {
      await this.#wait(() => this.#items.length >= count, deadlineMs, `${count} of `);
    }
    return this.#items;
  }

  async #wait(matches: (item: Item) => boolean, deadlineMs: number, howMany = ''): Promise<Item> {
    if (this.#closed !== null) throw this.#closed;
    const { promise, resolve, reject } = withResolvers<Item>();
    const waiter = { matches, resolve, reject };
    const timer = setTimeout(() => {
      const last = JSON.stringify(this.#items.at(-1)) ?? 'none';
      reject(
        new Error(
          `waited ${deadlineMs} ms for ${howMany}${this.#name}; ${this.#items.length} came, the last: ${last.slice(0, 500)}`,
        ),
      );
    }, deadlineMs);
    this.#waiters.add(waiter);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
export function withResolvers<Value>(): {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
} {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
