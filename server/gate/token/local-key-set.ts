import type { JsonWebKey } from 'node:crypto';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import type { KeyQuestion, KeySet } from './key-set.js';
import {
  type KeysById,
  type PublicKeyInput,
  pinned,
  replaceKeys,
  type VerificationKey,
  verificationKey,
} from './verification-key.js';

/** What an issuer in this process publishes: the same object as long as its keys are the same. */
export interface LocalJwks {
  readonly keys: readonly { readonly kid: string; readonly alg: string }[];
}

/**
 * The keys of an issuer in the same process. It is asked each time, so that a rotation counts at once; the set is built
 * anew only when it has changed, however many unknown key ids are asked for.
 */
export class LocalKeySet implements KeySet {
  private built: LocalJwks | null = null;
  private keys: KeysById = new Map();

  constructor(private readonly jwks: () => LocalJwks) {}

  async find({ keyId, algorithm }: KeyQuestion): Promise<VerificationKey> {
    if (keyId === null) throw new SluiceError('INVALID_TOKEN', 'The token names no key.');
    const found = this.current().get(keyId);
    if (found === undefined) {
      throw new SluiceError('INVALID_TOKEN', 'The token was signed with a key that is not known.');
    }
    return pinned(found, algorithm);
  }

  isKnown(): boolean {
    return true;
  }

  private current(): KeysById {
    try {
      const jwks = this.jwks();
      if (jwks !== this.built) {
        this.keys = replaceKeys(this.keys, keysOf(jwks));
        this.built = jwks;
      }
      return this.keys;
    } catch (cause) {
      throw new SluiceError('AUTH_ERROR', 'The keys to check the token cannot be had right now.', {
        cause,
        retryAfterMs: spreadRetryMs(10_000),
      });
    }
  }
}

function keysOf({ keys }: LocalJwks): KeysById {
  return new Map(keys.map((jwk) => [jwk.kid, verificationKey(publicKeyOf(jwk), jwk.alg)]));
}

function publicKeyOf(jwk: object): PublicKeyInput {
  return { format: 'jwk', key: jwk as JsonWebKey };
}
