import type { Group } from './group.js';

/**
 * How many sockets are written to before the event loop gets a turn, in which further events come in. What comes in during a
 * pass goes out with it to all that are still to be written to, so the more turns a pass has, the fewer writes there are:
 * with 500 a pass of 1,000 sockets takes in an event or two, with 25 all that publishers send. Below it the turns cost more
 * than they gain.
 */
const SLICE = 25;

/** Moves the streams of all groups that an event concerns, a slice at a time. */
export class Pump {
  private readonly queue: Group[] = [];
  private isScheduled = false;

  /** @param onBrought told, once a turn, how long what came first of what it has brought to all of a group had been there, in s. */
  constructor(private readonly onBrought: (seconds: number) => void) {}

  enqueue(group: Group): void {
    if (group.isQueued) return;
    group.isQueued = true;
    this.queue.push(group);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.turn();
    });
  }

  private turn(): void {
    // Groups in turn: each of those that wait now is looked at once, so that a busy one does not hold up the others.
    let waiting = this.queue.length;
    let oldest = Number.POSITIVE_INFINITY;
    for (let budget = SLICE; budget > 0 && waiting > 0; waiting--) {
      const group = this.queue.shift() as Group;
      budget -= Math.max(1, group.advance(budget));
      const brought = group.takeBrought();
      if (brought > 0 && brought < oldest) oldest = brought;
      if (group.isDone) group.isQueued = false;
      else this.queue.push(group);
    }
    if (oldest < Number.POSITIVE_INFINITY) this.onBrought((performance.now() - oldest) / 1_000);
    if (this.queue.length > 0) this.schedule();
  }
}
