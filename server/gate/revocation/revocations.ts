import type { Principal } from '../principal.js';

/** What of a token says whether a revocation is about it. */
export type RevocableToken = Pick<
  Principal,
  'issuer' | 'subject' | 'clientId' | 'tokenId' | 'issuedAt'
>;

/** What was withdrawn before its time. */
export interface Revocations {
  /** @throws SluiceError INVALID_TOKEN if the principal's token was revoked in this workspace. */
  check(principal: RevocableToken, workspace: string): void;
}
