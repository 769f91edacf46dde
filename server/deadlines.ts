/** How often the deadlines are looked at, and so how late something may end at the most. */
export const DEADLINE_STEP_MS = 250;

/** Things that end at a time of their own: one timer for all of them, and no work for those that are not due. */
export class Deadlines<Item> {
  private readonly byStep = new Map<number, Set<Item>>();
  /** Everything is still to come, by whichever clock. */
  private lastStep = Number.POSITIVE_INFINITY;

  /** @param time ms, still to come, by the clock that `takeDue` is told. */
  add(item: Item, time: number): void {
    const step = stepOf(time);
    const items = this.byStep.get(step) ?? new Set();
    this.byStep.set(step, items.add(item));
    // A clock that was set back since the last look: the next one must begin before this item.
    this.lastStep = Math.min(this.lastStep, step - 1);
  }

  /** @param time the one it was added with. */
  remove(item: Item, time: number): void {
    const step = stepOf(time);
    const items = this.byStep.get(step);
    if (items?.delete(item) && items.size === 0) this.byStep.delete(step);
  }

  /** Takes out everything that is due. */
  takeDue(now: number): Item[] {
    const step = Math.floor(now / DEADLINE_STEP_MS);
    const due: Item[] = [];
    for (const candidate of this.stepsUpTo(step)) {
      for (const item of this.byStep.get(candidate) ?? []) due.push(item);
      this.byStep.delete(candidate);
    }
    this.lastStep = step;
    return due;
  }

  private stepsUpTo(step: number): number[] {
    const passed = step - this.lastStep;
    // A clock that was set back or far ahead: only a look at everything finds what is due.
    if (passed < 0 || passed > this.byStep.size) {
      return [...this.byStep.keys()].filter((candidate) => candidate <= step);
    }
    return Array.from({ length: passed }, (_, index) => this.lastStep + 1 + index);
  }
}

function stepOf(time: number): number {
  return Math.ceil(time / DEADLINE_STEP_MS);
}
