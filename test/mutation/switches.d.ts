/** One check of the gate, how it is switched off, and the test that notices. */
export interface Switch {
  /** What is checked, as docs/security.md names it. */
  readonly name: string;
  /** Where the check stands. */
  readonly file: string;
  /** The check, which stands once in the file. */
  readonly code: string;
  /** What stands in its place when it is switched off. */
  readonly off: string;
  /** The file of the test that notices. */
  readonly test: string;
  /** The title of that test, or the part of it that tells it from others. */
  readonly title: string;
}

export const SWITCHES: readonly Switch[];
