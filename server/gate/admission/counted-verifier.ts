import { SluiceError } from '../../errors.js';
import type { Principal } from '../principal.js';
import type { TokenVerifier } from '../token/token-verifier.js';
import type { FailedAttempts } from './failed-attempts.js';

/** Verifies access tokens, and counts those that do not hold against the address that they come from. */
export class CountedVerifier {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly failedAttempts: FailedAttempts,
  ) {}

  /** @throws SluiceError as the verifier does; RATE_LIMIT_EXCEEDED while the address has failed too often. */
  async verify(token: string, address: string): Promise<Principal> {
    this.checkAttempts(token, address);
    try {
      return await this.verifier.verify(token);
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'INVALID_TOKEN') {
        this.failedAttempts.note(address);
      }
      throw error;
    }
  }

  private checkAttempts(token: string, address: string): void {
    try {
      this.failedAttempts.check(address);
    } catch (refusal) {
      // Tokens that were verified before cost nothing to know again: their bearers do not pay for those who guess.
      // Asked last, since it costs a hash, and hardly any address is refused.
      if (!this.verifier.remembers(token)) throw refusal;
    }
  }
}
