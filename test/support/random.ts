/** Chance that is the same in every run with the same seed, so that a run can be had again about as it was. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to 1. */
  next(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state / 2 ** 32;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new Error('there is nothing to pick');
    return item;
  }

  /** One of its own, so that parts that run at once do not disturb each other's chance. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32));
  }
}
