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

  /**
   * Moves forward to the cursor of a frame. False, and nothing moves, where that was seen already: a service may repeat
   * itself when a stream resumes. An id that is no cursor is not of this service and moves nothing.
   */
  advance(id: string): boolean {
    if (parseCursor(id) === null || this.distanceTo(id) <= 0) return false;
    this.#cursor = id;
    return true;
  }

  /** Moves to where the service says the history goes on after a gap; that may lie behind (an older log restored). */
  moveTo(id: string): void {
    if (parseCursor(id) !== null) this.#cursor = id;
  }

  /** Events from here to `cursor`: negative if that lies behind, NaN where the two have no order (other epochs, no cursor). */
  distanceTo(cursor: string | null): number {
    const here = parseCursor(this.#cursor ?? '');
    const there = parseCursor(cursor ?? '');
    return here !== null && here.epoch === there?.epoch ? there.offset - here.offset : Number.NaN;
  }
}
