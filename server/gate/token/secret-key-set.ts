import type { KeyQuestion, KeySet } from './key-set.js';
import { pinned, secretKey, type VerificationKey } from './verification-key.js';

/** The one key of an issuer that signs with a shared secret. A token need not name it, since there is no other. */
export class SecretKeySet implements KeySet {
  private readonly key: VerificationKey;

  constructor(secret: string) {
    this.key = secretKey(secret);
  }

  async find({ algorithm }: KeyQuestion): Promise<VerificationKey> {
    return pinned(this.key, algorithm);
  }

  isKnown(): boolean {
    return true;
  }
}
