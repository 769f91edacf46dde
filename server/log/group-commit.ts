/**
 * Lets everything that waits share one commit: while one group is written, the next one gathers. The price of
 * durability is paid once a group, so it falls as load grows.
 */
export class GroupCommit<Item> {
  private waiting: Item[] = [];
  private running: Promise<void> | null = null;

  /** @param commit writes a group and settles its items; it must not reject. */
  constructor(private readonly commit: (group: readonly Item[]) => Promise<void>) {}

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
      const group = this.waiting;
      this.waiting = [];
      await this.commit(group);
    }
    this.running = null;
  }
}
