import { parseCursor } from '@sluice/protocol';

/** How far a subscription has come: where its next stream resumes, and what it has seen already. */
export class ResumePoint {
  #cursor: string | null;

  constructor(cursor: string | null) {
    this.#cursor = cursor;
  }

  get cursor(): string | null {
    return this.#cursor;
  }

  /**
   * Moves forward to the cursor of a frame. False, and nothing moves, where the subscription has come that far already:
   * a service may repeat itself when a stream resumes. An id that is no cursor is not of this service and moves nothing.
   */
  advance(id: string): boolean {
    const next = parseCursor(id);
    if (next === null) return false;
    const last = this.#cursor === null ? null : parseCursor(this.#cursor);
    if (last?.epoch === next.epoch && next.offset <= last.offset) return false;
    this.#cursor = id;
    return true;
  }

  /** Moves to where the service says the history goes on after a gap; that may lie behind (an older log restored). */
  moveTo(id: string): void {
    if (parseCursor(id) !== null) this.#cursor = id;
  }
}
