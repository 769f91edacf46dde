import type { Principal } from './principal.js';

/** Tells whose a token is. */
export interface TokenVerifier {
  /**
   * @throws SluiceError INVALID_TOKEN, TOKEN_EXPIRED, or AUTH_ERROR when the token cannot be checked right now.
   */
  verify(token: string): Promise<Principal>;
}
