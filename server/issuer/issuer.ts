import { join } from 'node:path';
import {
  checkWorkspaceClaim,
  type IssuedToken,
  signAccessToken,
  type TokenRequest,
  type TokenTerms,
} from './access-token.js';
import { preparePrivateFolder } from './private-file.js';
import { openSigningKeys, type PublishedKeys } from './signing-keys.js';

export interface IssuerOptions extends TokenTerms {
  /** The keys are kept in its folder `issuer`, which is made where it is missing. */
  readonly dataDir: string;
  /** Told when a change of the keys cannot be read; they stay as they were until it can be. */
  readonly onFailure?: (error: unknown) => void;
}

/** The embedded token issuer: for one machine, where no identity provider is at hand. */
export interface Issuer {
  /**
   * The public halves of all keys, also of the one that signs next (RFC 7517). It is the very same object as long as
   * nothing changed; a change that another process makes is seen within a second.
   */
  jwks(): PublishedKeys;
  /**
   * Signs an access token (RFC 9068) with the key that signs now.
   * @throws SluiceError INVALID_REQUEST naming what cannot stand in a token.
   */
  issueToken(request: TokenRequest): IssuedToken;
}

/**
 * Opens the issuer of a data folder; its keys are made on the first start.
 * @throws IssuerError if the keys cannot be used or the workspace claim would overwrite another claim.
 */
export async function openIssuer(options: IssuerOptions): Promise<Issuer> {
  checkWorkspaceClaim(options);
  const folder = issuerFolder(options.dataDir);
  await preparePrivateFolder(folder);
  const keys = await openSigningKeys(folder, options.onFailure);

  return {
    jwks: () => keys.published(),

    issueToken(request) {
      const { privateKey, publicJwk } = keys.signing();
      return signAccessToken(request, options, {
        key: privateKey,
        algorithm: publicJwk.alg,
        keyId: publicJwk.kid,
      });
    },
  };
}

/** Where the issuer keeps its keys and clients. */
export function issuerFolder(dataDir: string): string {
  return join(dataDir, 'issuer');
}
