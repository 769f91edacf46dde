import type { Revocation } from './revocation.js';

/** Keeps revocations for as long as they matter, and tells every node of them. */
export interface RevocationStore {
  /**
   * Keeps it; where one of the same thing is kept already, what holds for both. Resolves when it will outlive the
   * process, and the followers here have been told.
   * @throws SluiceError UNAVAILABLE if it cannot be kept; nothing has changed then.
   */
  add(revocation: Revocation): Promise<void>;

  /**
   * Tells of everything that is kept, before it resolves, and then of everything that is added, by whatever node. The
   * same one may be told of more than once.
   * @throws Error if what is kept cannot be read.
   */
  follow(tell: (revocation: Revocation) => void): Promise<void>;

  /** Drops these, but for those that were asked for anew meanwhile. @throws SluiceError UNAVAILABLE */
  forget(revocations: readonly Revocation[]): Promise<void>;

  /** Finishes what is under way. Everything asked for afterwards is UNAVAILABLE. */
  close(): Promise<void>;
}
