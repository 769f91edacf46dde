import {
  checkWorkspaceClaim,
  type IssuedToken,
  signAccessToken,
  type TokenRequest,
  type TokenTerms,
} from './access-token.js';
import { filePrivateDocuments } from './file-private-documents.js';
import type { PrivateDocuments } from './private-document.js';
import { openSigningKeys, type PublishedKeys } from './signing-keys.js';

export interface IssuerOptions extends TokenTerms {
  readonly dataDir: string;
  /** Where the keys are kept; default: in the folder `issuer` of the data folder, which is made where it is missing. */
  readonly documents?: PrivateDocuments;
  /** Told when a change of the keys cannot be read; they stay as they were until it can be. */
  readonly onFailure?: (error: unknown) => void;
}

/** The embedded token issuer, where no identity provider is at hand. */
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
  const { dataDir, documents = filePrivateDocuments(dataDir), onFailure } = options;
  await documents.prepare();
  const keys = await openSigningKeys(documents.keys, onFailure);

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
