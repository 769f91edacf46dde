/**
 * Lets everything that waits share one commit: while one group is written, the next one gathers. The price of
 * durability is paid once a group, so it falls as load grows.
 */
export class GroupCommit<Item> {
  private readonly waiting: Item[] = [];
  private running: Promise<void> | null = null;

  /**
   * @param commit writes a group and settles its items; it must not reject. It takes the group when it is about to write it,
   *   so that all that has come until then is in it, and in any case before it resolves; asked for again, the group is the same.
   * @param maxWeight of a group; an item that is heavier goes alone.
   */
  constructor(
    private readonly commit: (takeGroup: () => readonly Item[]) => Promise<void>,
    private readonly maxWeight: number,
    private readonly weightOf: (item: Item) => number,
  ) {}

  add(item: Item): void {
    this.waiting.push(item);
    this.running ??= this.run();
  }

  /** Resolves when nothing waits and nothing is being written. */
  async idle(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      let group: readonly Item[] | null = null;
      await this.commit(() => {
        group ??= this.waiting.splice(0, this.nextGroupLength());
        return group;
      });
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
