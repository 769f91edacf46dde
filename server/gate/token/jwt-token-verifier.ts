import type { TokenRules } from '../../config.js';
import { SluiceError } from '../../errors.js';
import type { Principal } from '../principal.js';
import { checkSignature } from './check-signature.js';
import { ownClaim, readClaims } from './claims.js';
import { type CompactJwt, readCompactJwt } from './compact-jwt.js';
import type { KeySet } from './key-set.js';
import { fullHashOf, shortHash } from './token-hash.js';
import type { TokenVerifier } from './token-verifier.js';
import type { VerificationKey } from './verification-key.js';
import { VerifiedTokens } from './verified-tokens.js';

/** An issuer that is trusted, with the keys that verify its tokens and nobody else's. */
export interface IssuerKeys {
  readonly issuer: string;
  readonly audience: string;
  /** With which it may sign. */
  readonly algorithms: readonly string[];
  readonly keys: KeySet;
}

/** A token that was read. */
interface ReadToken extends CompactJwt {
  readonly issuer: IssuerKeys;
  /** What it is called in logs. */
  readonly hash: string;
  /** The key with which its signature held; `null` where it was not checked yet. */
  readonly heldWith: VerificationKey | null;
}

/**
 * Verifies signed JWTs: the form before the signature, the claims after it. A signature that held is not checked again
 * while its key is the same. The key and the claims are judged each time, so that a token is not good a moment longer
 * for having been good before.
 */
export class JwtTokenVerifier implements TokenVerifier {
  private readonly verified = new VerifiedTokens<ReadToken>();

  constructor(
    private readonly issuers: readonly IssuerKeys[],
    private readonly rules: TokenRules,
  ) {}

  async verify(token: string): Promise<Principal> {
    const hash = fullHashOf(token);
    const read = this.verified.get(hash) ?? this.read(token, hash);
    const key = await read.issuer.keys.find(read);
    if (key !== read.heldWith) await checkSignature(token, key.key, read.algorithm);
    const now = Date.now() / 1_000;
    const principal = readClaims(read.payload, read.issuer, this.rules, now);
    if (key !== read.heldWith) {
      const goodForMs = (principal.expiresAt + this.rules.clockToleranceSeconds - now) * 1_000;
      this.verified.add(hash, { ...read, heldWith: key }, token.length, goodForMs);
    }
    return { ...principal, tokenHash: read.hash };
  }

  remembers(token: string): boolean {
    return this.verified.has(fullHashOf(token));
  }

  private read(token: string, hash: string): ReadToken {
    const compact = readCompactJwt(token, this.rules);
    const issuer = this.issuers.find(
      (trusted) => trusted.issuer === ownClaim(compact.payload, 'iss'),
    );
    if (issuer === undefined) {
      throw new SluiceError('INVALID_TOKEN', 'The token is of another issuer.');
    }
    if (!issuer.algorithms.includes(compact.algorithm)) {
      throw new SluiceError('INVALID_TOKEN', 'The algorithm of the token is not accepted here.');
    }
    return { ...compact, issuer, hash: shortHash(hash), heldWith: null };
  }
}
