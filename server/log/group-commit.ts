/**
 * Lets everything that waits share one commit: while one group is written, the next one gathers. The price of
 * durability is paid once a group, so it falls as load grows.
 */
export class GroupCommit<Item> {
  private readonly waiting: Item[] = [];
  private running: Promise<void> | null = null;

  /**
   * @param commit writes a group and settles its items; it must not reject.
   * @param maxWeight of a group; an item that is heavier goes alone.
   */
  constructor(
    private readonly commit: (group: readonly Item[]) => Promise<void>,
    private readonly maxWeight: number,
    private readonly weightOf: (item: Item) => number,
  ) {}

  /** How many items wait for the next group. */
  get length(): number {
    return this.waiting.length;
  }

  add(item: Item): void {
    this.waiting.push(item);
    this.running ??= this.run();
  }

  /** Resolves when nothing waits and nothing is being written. */
  async idle(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  private async run(): Promise<void> {
    // The rest of this turn's requests belong into the first group.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      await this.commit(this.waiting.splice(0, this.nextGroupLength()));
    }
    this.running = null;
  }

  private nextGroupLength(): number {
    let weight = 0;
    const end = this.waiting.findIndex((item) => {
      weight += this.weightOf(item);
      return weight > this.maxWeight;
    });
    return end < 0 ? this.waiting.length : Math.max(end, 1);
  }
}
