import type { KeyObject } from 'node:crypto';

/** Where the keys that verify tokens come from. */
export interface KeySet {
  /**
   * The key that `keyId` names, if it may be used with `algorithm`.
   * @throws SluiceError INVALID_TOKEN if there is no such key, AUTH_ERROR if that cannot be known right now.
   */
  find(keyId: string, algorithm: string): Promise<KeyObject>;
}
