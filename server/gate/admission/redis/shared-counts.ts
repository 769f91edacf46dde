import { isOfOneKey } from './one-key.js';
import { SharedCount } from './shared-count.js';

/** How many counts are told at once. */
const AT_ONCE = 100;

/** What this node holds of the counts of one kind, by name; what nobody holds is forgotten. */
export class SharedCounts {
  readonly #counts = new Map<string, SharedCount>();
  /** Those of which the others have to be told. */
  readonly #unsettled = new Set<string>();

  constructor(
    private readonly tell: (name: string, held: number, wanted: number) => Promise<number>,
  ) {}

  get size(): number {
    return this.#counts.size;
  }

  /** Resolves with whether there was a place. @throws SluiceError UNAVAILABLE */
  async take(name: string): Promise<boolean> {
    const count = this.#counts.get(name) ?? this.#create(name);
    try {
      return await count.take();
    } finally {
      this.#keep(name, count);
    }
  }

  /** To be followed by `settle`. */
  give(name: string): void {
    const count = this.#counts.get(name);
    if (count === undefined) return;
    count.give();
    this.#unsettled.add(name);
  }

  /** Nobody may know any of them. To be followed by `settle`. */
  doubtAll(): void {
    for (const [name, count] of this.#counts) {
      count.doubt();
      this.#unsettled.add(name);
    }
  }

  /**
   * Resolves when the others know all that is held, but for counts that nobody can be told of now for reasons of their own.
   * Those and the rest can be told later. @throws SluiceError UNAVAILABLE
   */
  async settle(): Promise<void> {
    const names = [...this.#unsettled].values();
    const tellSome = async () => {
      for (const name of names) await this.#settle(name);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, tellSome));
  }

  async #settle(name: string): Promise<void> {
    const count = this.#counts.get(name);
    if (count === undefined) {
      this.#unsettled.delete(name);
      return;
    }
    try {
      await count.settle();
    } catch (error) {
      if (!isOfOneKey(error)) throw error;
    } finally {
      this.#keep(name, count);
    }
  }

  #create(name: string): SharedCount {
    const count = new SharedCount((held, wanted) => this.tell(name, held, wanted));
    this.#counts.set(name, count);
    return count;
  }

  #keep(name: string, count: SharedCount): void {
    // Whoever comes later may find it dropped already, and another one in its place.
    if (this.#counts.get(name) !== count) return;
    if (count.isSettled) this.#unsettled.delete(name);
    else this.#unsettled.add(name);
    if (count.isIdle) this.#counts.delete(name);
  }
}
