import type { Principal } from '../principal.js';

/** Tells what a token says of its bearer, if it holds. */
export interface TokenVerifier {
  /** @throws SluiceError INVALID_TOKEN, TOKEN_EXPIRED, or AUTH_ERROR if that cannot be known right now. */
  verify(token: string): Promise<Principal>;
  /** Whether this very token was verified before, so that it costs little to verify again. */
  remembers(token: string): boolean;
}
