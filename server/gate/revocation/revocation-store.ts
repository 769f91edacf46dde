import type { Revocation } from './revocation.js';

/** Keeps revocations for as long as they matter, and tells every node of them. */
export interface RevocationStore {
  /**
   * Keeps it; where one of the same thing is kept already, what holds for both. Resolves when it will outlive the
   * process, and the followers here have been told.
   * @throws SluiceError UNAVAILABLE if it cannot be kept, or nobody knows whether it is; whoever asks again is not wrong.
   */
  add(revocation: Revocation): Promise<void>;

  /**
   * Tells of everything that is kept, before it resolves, and then of everything that is added, by whatever node. The
   * same one may be told of more than once.
   * @param held what the follower has been told of and has not forgotten: where a shared store has lost some of it, that
   *   is put back.
   * @throws Error if what is kept cannot be read.
   */
  follow(tell: (revocation: Revocation) => void, held?: () => Iterable<Revocation>): Promise<void>;

  /**
   * Drops these, but for those that were asked for anew meanwhile, and for those that have not stood for `keptMs` yet by
   * the clock of a store that nodes share: one node whose clock is ahead must not decide for all. Resolves with the latter.
   * @throws SluiceError UNAVAILABLE
   */
  forget(revocations: readonly Revocation[], keptMs: number): Promise<readonly Revocation[]>;

  /** Finishes what is under way. Everything asked for afterwards is UNAVAILABLE. */
  close(): Promise<void>;
}
