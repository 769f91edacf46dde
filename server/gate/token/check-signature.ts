import type { KeyObject } from 'node:crypto';
import { compactVerify } from 'jose';
import jsonwebtoken, { type Algorithm } from 'jsonwebtoken';
import { SluiceError } from '../../errors.js';

/** What jsonwebtoken does not have. */
const ALGORITHMS_OF_JOSE = ['EdDSA', 'Ed25519'];

/**
 * Judges the signature alone, with a key that was found before, for exactly one algorithm.
 * @throws SluiceError INVALID_TOKEN
 */
export async function checkSignature(
  token: string,
  key: KeyObject,
  algorithm: string,
): Promise<void> {
  try {
    if (ALGORITHMS_OF_JOSE.includes(algorithm)) {
      await compactVerify(token, key, { algorithms: [algorithm] });
    } else {
      // Times are judged by readClaims, which knows the tolerance and says what is wrong.
      jsonwebtoken.verify(token, key, {
        algorithms: [algorithm as Algorithm],
        ignoreExpiration: true,
        ignoreNotBefore: true,
      });
    }
  } catch (cause) {
    // It also throws what is not its own: TypeErrors of malformed ECDSA signatures, SyntaxErrors.
    throw new SluiceError('INVALID_TOKEN', 'The signature of the token does not hold.', { cause });
  }
}
