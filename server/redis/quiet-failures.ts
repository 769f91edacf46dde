import { reasonOf } from './failures.js';

/** How long the same is not said again. */
const QUIET_MS = 10_000;
const MAX_KNOWN = 100;

/** Tells of failures, of the same one now and then. */
export class QuietFailures {
  private readonly toldAt = new Map<string, number>();

  constructor(private readonly onFailure: (error: unknown) => void) {}

  tell(error: unknown): void {
    const reason = reasonOf(error);
    const now = performance.now();
    if (now - (this.toldAt.get(reason) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    if (this.toldAt.size >= MAX_KNOWN) this.toldAt.clear();
    this.toldAt.set(reason, now);
    this.onFailure(error);
  }
}
