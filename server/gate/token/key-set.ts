import type { VerificationKey } from './verification-key.js';

/** Which key a token says it was signed with. Nothing here may be believed yet. */
export interface KeyQuestion {
  readonly algorithm: string;
  /** `kid`; `null` where the token names none. */
  readonly keyId: string | null;
}

/** How the reading of keys from elsewhere goes. */
export interface KeyFetches {
  /** Since the start. */
  readonly ok: number;
  readonly failed: number;
  /** Since the keys were read last; `null`: they never were. */
  readonly ageMs: number | null;
  /** That verify. */
  readonly keys: number;
}

/** Where the keys that verify the tokens of one issuer come from. */
export interface KeySet {
  /**
   * The key asked for, if it may be used with that algorithm. It is the very same object as long as it is the same key,
   * so that a signature that held once need not be checked again while it is.
   * @throws SluiceError INVALID_TOKEN if there is no such key, AUTH_ERROR if that cannot be known right now.
   */
  find(question: KeyQuestion): Promise<VerificationKey>;

  /** Whether its keys were ever had. Where not, they are asked for, so that whoever waits for them need only ask again. */
  isKnown(): boolean;

  /** Of keys that are read from elsewhere; absent where they are at hand. */
  readonly fetches?: KeyFetches;
}
