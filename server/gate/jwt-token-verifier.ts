import type { KeyObject } from 'node:crypto';
import jsonwebtoken, { type Algorithm } from 'jsonwebtoken';
import type { TokenRules } from '../config.js';
import { SluiceError } from '../errors.js';
import { readClaims } from './claims.js';
import { readCompactJwt } from './compact-jwt.js';
import type { KeySet } from './key-set.js';
import type { Principal } from './principal.js';
import type { TokenVerifier } from './token-verifier.js';

/**
 * Verifies signed JWTs. The form is checked before and the claims after jsonwebtoken, which judges the signature
 * alone: with a key that was found first, synchronously, for exactly one algorithm.
 */
export class JwtTokenVerifier implements TokenVerifier {
  constructor(
    private readonly keys: KeySet,
    private readonly rules: TokenRules,
  ) {}

  async verify(token: string): Promise<Principal> {
    const { algorithm, keyId, payload } = readCompactJwt(token, this.rules.algorithms);
    const key = await this.keys.find(keyId, algorithm);
    checkSignature(token, key, algorithm as Algorithm);
    return readClaims(payload, this.rules, Date.now() / 1_000);
  }
}

function checkSignature(token: string, key: KeyObject, algorithm: Algorithm): void {
  try {
    // Times are judged by readClaims, which knows the tolerance and says what is wrong.
    jsonwebtoken.verify(token, key, {
      algorithms: [algorithm],
      ignoreExpiration: true,
      ignoreNotBefore: true,
    });
  } catch (cause) {
    // It also throws what is not its own: TypeErrors of malformed ECDSA signatures, SyntaxErrors.
    throw new SluiceError('INVALID_TOKEN', 'The signature of the token does not hold.', { cause });
  }
}
