import { createHash, randomBytes } from 'node:crypto';
import { SluiceError } from '../../errors.js';
import type { Principal } from '../principal.js';
import type { StreamTokenStore } from './stream-token-store.js';

/** Long enough to be carried from one request into the next. */
const LIFETIME_MS = 30_000;
/** 256 bits: there is no prospect in guessing. */
const TOKEN_BYTES = 32;
/** By it `sluice scrub` and other searches know a stream token wherever it stands. */
const TOKEN_PREFIX = 'sst_';

/** What a stream token is bound to. */
export interface StreamTokenUse {
  readonly workspace: string;
  readonly origin: string | null;
}

export interface IssuedStreamToken {
  readonly streamToken: string;
  /** In milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** One-time tokens, each of which opens one stream in the name of an access token. */
export interface StreamTokens {
  /** @throws SluiceError TOKEN_EXPIRED, RATE_LIMIT_EXCEEDED, UNAVAILABLE */
  issue(principal: Principal, use: StreamTokenUse): Promise<IssuedStreamToken>;
  /** @throws SluiceError INVALID_TOKEN, WORKSPACE_MISMATCH, TOKEN_EXPIRED, UNAVAILABLE */
  redeem(token: string, use: StreamTokenUse): Promise<Principal>;
}

export function createStreamTokens(store: StreamTokenStore): StreamTokens {
  return {
    async issue(principal, { workspace, origin }) {
      checkParent(principal);
      const streamToken = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
      await store.put(hashOf(streamToken), { principal, workspace, origin }, LIFETIME_MS);
      const expiresAtMs = Math.min(Date.now() + LIFETIME_MS, principal.expiresAt * 1_000);
      return { streamToken, expiresAtMs };
    },

    async redeem(token, { workspace, origin }) {
      // It is taken out before anything is compared: whoever tries it in the wrong place has used it up.
      const grant = await store.take(hashOf(token));
      if (grant === null) {
        throw new SluiceError('INVALID_TOKEN', 'The stream token is not known, too old, or used.');
      }
      if (grant.origin !== origin) {
        throw new SluiceError('INVALID_TOKEN', 'The stream token was given to another origin.');
      }
      if (grant.workspace !== workspace) throw new SluiceError('WORKSPACE_MISMATCH');
      checkParent(grant.principal);
      return grant.principal;
    },
  };
}

/** A stream ends at the `exp` of the access token, without the tolerance for clocks; so does what opens one. */
function checkParent({ expiresAt }: Principal): void {
  if (expiresAt * 1_000 <= Date.now()) throw new SluiceError('TOKEN_EXPIRED');
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
