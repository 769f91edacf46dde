/** Bytes of history written to sockets in one turn of the event loop. */
const BYTES_A_TURN = 1_048_576;
/** What a page costs beside its bytes: a read, a send. */
const PAGE_COST = 4_096;

/** Shares each turn of the event loop among all streams that replay history, first come, first served. */
export class TurnBudget {
  private left = BYTES_A_TURN;
  private waiting: (() => void)[] = [];
  private isScheduled = false;

  /** Resolves in a turn that has something left. */
  async turn(): Promise<void> {
    while (this.left <= 0) {
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
      });
    }
    this.spend(PAGE_COST);
  }

  spend(bytes: number): void {
    this.left -= bytes;
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => this.refill());
  }

  private refill(): void {
    this.isScheduled = false;
    this.left = BYTES_A_TURN;
    const waiting = this.waiting;
    this.waiting = [];
    // Whoever finds nothing left waits again, behind nobody who came later: they resume in this order.
    for (const resume of waiting) resume();
  }
}
