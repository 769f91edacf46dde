import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { hasControlCharacter } from '@sluice/protocol';
import jsonwebtoken from 'jsonwebtoken';
import { ISSUER_CLAIMS } from '../config.js';
import { SluiceError } from '../errors.js';
import { readGrant } from './grant.js';
import { IssuerError } from './issuer-error.js';
import { preparePrivateFolder } from './private-file.js';
import { openSigningKeys, type PublicJwk } from './signing-keys.js';

export interface IssuerOptions {
  /** The keys are kept in its folder `issuer`, which is made where it is missing. */
  readonly dataDir: string;
  /** `iss` of every token. */
  readonly issuer: string;
  /** `aud` of every token. */
  readonly audience: string;
  /** The claim that names one workspace; its plural (with an `s`) lists several. */
  readonly workspaceClaim: string;
}

export interface TokenRequest {
  readonly subject: string;
  /** The service account that asked; absent for the token of a user. */
  readonly clientId?: string;
  readonly workspaces: readonly string[];
  readonly permissions: readonly string[];
  readonly lifetimeSeconds: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: Date;
}

/** The embedded token issuer: for one machine, where no identity provider is at hand. */
export interface Issuer {
  /** The public halves of all keys (RFC 7517). */
  jwks(): { readonly keys: readonly PublicJwk[] };
  /**
   * Signs an access token (RFC 9068).
   * @throws SluiceError INVALID_REQUEST naming what cannot stand in a token.
   */
  issueToken(request: TokenRequest): IssuedToken;
}

const MAX_SUBJECT_LENGTH = 256;

/**
 * Opens the issuer of a data folder; its keys are made on the first start.
 * @throws IssuerError if the keys cannot be used or the workspace claim would overwrite another claim.
 */
export async function openIssuer(options: IssuerOptions): Promise<Issuer> {
  const { issuer, audience, workspaceClaim } = options;
  const workspacesClaim = `${workspaceClaim}s`;
  for (const claim of [workspaceClaim, workspacesClaim]) {
    if (ISSUER_CLAIMS.includes(claim)) {
      throw new IssuerError(
        `the workspace claim cannot be "${workspaceClaim}": "${claim}" is taken`,
      );
    }
  }
  const folder = issuerFolder(options.dataDir);
  await preparePrivateFolder(folder);
  const keys = await openSigningKeys(folder);
  const published = { keys: keys.map(({ publicJwk }) => publicJwk) };
  const { privateKey, publicJwk } = keys[0];

  return {
    jwks: () => published,

    issueToken({ subject, clientId, workspaces, permissions, lifetimeSeconds }) {
      const reading = readGrant(workspaces, permissions);
      if ('fault' in reading) throw new SluiceError('INVALID_REQUEST', reading.fault);
      if (!isSubject(subject)) {
        throw new SluiceError(
          'INVALID_REQUEST',
          `the subject is not a text of 1 to ${MAX_SUBJECT_LENGTH} characters without control characters`,
        );
      }
      if (!Number.isSafeInteger(lifetimeSeconds) || lifetimeSeconds < 1) {
        throw new SluiceError('INVALID_REQUEST', 'the lifetime is not a whole number of seconds');
      }
      const { grant } = reading;
      const iat = Math.floor(Date.now() / 1000);
      const exp = iat + lifetimeSeconds;
      const claims = {
        iss: issuer,
        sub: subject,
        aud: audience,
        iat,
        exp,
        jti: randomUUID(),
        ...(clientId !== undefined && { client_id: clientId }),
        ...(grant.workspaces.length === 1
          ? { [workspaceClaim]: grant.workspaces[0] }
          : { [workspacesClaim]: grant.workspaces }),
        permissions: grant.permissions,
        scope: grant.permissions.join(' '),
      };
      const token = jsonwebtoken.sign(claims, privateKey, {
        algorithm: publicJwk.alg,
        keyid: publicJwk.kid,
        header: { alg: publicJwk.alg, typ: 'at+jwt' },
      });
      return { token, expiresAt: new Date(exp * 1000) };
    },
  };
}

/** Where the issuer keeps its keys and clients. */
export function issuerFolder(dataDir: string): string {
  return join(dataDir, 'issuer');
}

function isSubject(text: string): boolean {
  return text.length > 0 && text.length <= MAX_SUBJECT_LENGTH && !hasControlCharacter(text);
}
