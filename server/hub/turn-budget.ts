/** How long history may hold the event loop in one turn. */
const TURN_MS = 5;
/** Streams let on at a time: what one of them does in one go, a read of the log, is not interrupted. */
const RESUMED_AT_ONCE = 4;

/** Shares each turn of the event loop among all streams that replay history, first come, first served. */
export class TurnBudget {
  private turnEndsAt = 0;
  private waiting: (() => void)[] = [];
  private isScheduled = false;

  /** Resolves in a turn that has time left. */
  async turn(): Promise<void> {
    if (this.waiting.length === 0 && performance.now() < this.turnEndsAt) return;
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => this.begin());
  }

  private begin(): void {
    this.isScheduled = false;
    this.turnEndsAt = performance.now() + TURN_MS;
    for (const resume of this.waiting.splice(0, RESUMED_AT_ONCE)) resume();
    if (this.waiting.length > 0) this.schedule();
  }
}
