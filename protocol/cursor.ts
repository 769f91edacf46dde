/**
 * A place in the history of one workspace: everything up to and including `offset` has been seen.
 * It travels as the SSE `id:` in the form `<epoch>-<offset>`.
 */
export interface Cursor {
  /** Eight characters of Crockford's base 32. Differs between workspaces, and changes when a log is made anew. */
  readonly epoch: string;
  /** Grows by one with each event of the workspace; 0 stands before the first event. */
  readonly offset: number;
}

const CURSOR = /^([0-9A-HJKMNP-TV-Z]{8})-(0|[1-9][0-9]{0,14})$/;

/** A cursor as it travels. */
export function formatCursor(epoch: string, offset: number): string {
  return `${epoch}-${offset}`;
}

/** Reads a cursor; `null` for whatever is not one. The length is bounded by the form itself. */
export function parseCursor(text: string): Cursor | null {
  const match = CURSOR.exec(text);
  return match === null ? null : { epoch: match[1] as string, offset: Number(match[2]) };
}
