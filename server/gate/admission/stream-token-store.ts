import type { Principal } from '../principal.js';

/** What a stream token stands for. */
export interface StreamTokenGrant {
  readonly principal: Principal;
  readonly workspace: string;
  /** The origin of the page that got it; `null` where none did. */
  readonly origin: string | null;
}

/** Keeps the grants of stream tokens until they are taken, which happens once, or their time is over. */
export interface StreamTokenStore {
  /**
   * @param hash of the token: whoever can read the store can open nothing with it.
   * @throws SluiceError RATE_LIMIT_EXCEEDED if too many are held; UNAVAILABLE
   */
  put(hash: string, grant: StreamTokenGrant, lifetimeMs: number): Promise<void>;
  /** Gives a grant out and forgets it, in one step: of many that ask at once, one gets it. */
  take(hash: string): Promise<StreamTokenGrant | null>;
}
