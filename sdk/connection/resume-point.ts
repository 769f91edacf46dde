import { parseCursor } from '@sluice/protocol';

/** How far somebody has come in the history of a workspace: where to resume, and what was seen already. */
export class ResumePoint {
  #cursor: string | null;

  constructor(cursor: string | null) {
    this.#cursor = cursor;
  }

  get cursor(): string | null {
    return this.#cursor;
  }

  /** Whether this point has the same order as `cursor` (cursors of two epochs have none) and is not behind it. */
  covers(cursor: string): boolean {
    return this.#distanceTo(cursor) <= 0;
  }

  /** Whether `cursor` lies further back in the same epoch. */
  isBeyond(cursor: string): boolean {
    return this.#distanceTo(cursor) < 0;
  }

  /** Whether this point and `cursor` are of one epoch. */
  isComparable(cursor: string): boolean {
    return !Number.isNaN(this.#distanceTo(cursor));
  }

  /**
   * Moves forward to the cursor of a frame. False, and nothing moves, where that was seen already: a service may repeat
   * itself when a stream resumes. An id that is no cursor is not of this service and moves nothing.
   */
  advance(id: string): boolean {
    if (parseCursor(id) === null || this.covers(id)) return false;
    this.#cursor = id;
    return true;
  }

  /** Moves to where the service says the history goes on after a gap; that may lie behind (an older log restored). */
  moveTo(id: string): void {
    if (parseCursor(id) !== null) this.#cursor = id;
  }

  /** Events from here to `cursor`; NaN where they have no order. */
  #distanceTo(cursor: string): number {
    const here = parseCursor(this.#cursor ?? '');
    const there = parseCursor(cursor);
    return here !== null && here.epoch === there?.epoch ? there.offset - here.offset : Number.NaN;
  }
}
