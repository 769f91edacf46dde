import { type KeyObject, randomUUID } from 'node:crypto';
import { hasControlCharacter } from '@sluice/protocol';
import jsonwebtoken from 'jsonwebtoken';
import { ISSUER_CLAIMS } from '../config.js';
import { SluiceError } from '../errors.js';
import { readGrant, readTopicGrant, type TopicGrants } from './grant.js';
import { IssuerError } from './issuer-error.js';

/** What every token of an issuer says. */
export interface TokenTerms {
  /** `iss` */
  readonly issuer: string;
  /** `aud` */
  readonly audience: string;
  /** The claim that names one workspace; its plural (with an `s`) lists several. */
  readonly workspaceClaim: string;
}

export interface TokenRequest {
  readonly subject: string;
  /** The program that asked; absent for a token that nobody asked for by a program. */
  readonly clientId?: string;
  readonly workspaces: readonly string[];
  /** A list, for all topics; or patterns of topics, each with what is granted on them. */
  readonly permissions: readonly string[] | TopicGrants;
  readonly lifetimeSeconds: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: Date;
}

/** What a token is signed with. */
export interface TokenSigner {
  readonly key: KeyObject;
  readonly algorithm: 'RS256' | 'HS256';
  /** `null` for a shared secret, of which there is one. */
  readonly keyId: string | null;
}

const MAX_NAME_LENGTH = 256;
/** Longer ones are not looked at by the gate, and proxies commonly allow no longer header. */
const MAX_TOKEN_LENGTH = 8_192;

/**
 * Signs an access token (RFC 9068).
 * @throws SluiceError INVALID_REQUEST naming what cannot stand in a token.
 */
export function signAccessToken(
  request: TokenRequest,
  terms: TokenTerms,
  signer: TokenSigner,
): IssuedToken {
  const iat = Math.floor(Date.now() / 1_000);
  const exp = iat + readLifetime(request.lifetimeSeconds);
  const claims = {
    iss: terms.issuer,
    sub: readName(request.subject, 'subject'),
    aud: terms.audience,
    iat,
    exp,
    jti: randomUUID(),
    ...(request.clientId !== undefined && { client_id: readName(request.clientId, 'client id') }),
    ...claimsOfGrant(request, terms),
  };
  const { key, algorithm, keyId } = signer;
  const token = jsonwebtoken.sign(claims, key, {
    algorithm,
    ...(keyId !== null && { keyid: keyId }),
    header: { alg: algorithm, typ: 'at+jwt' },
  });
  if (token.length > MAX_TOKEN_LENGTH) {
    throw invalid(`the token would be longer than ${MAX_TOKEN_LENGTH} characters`);
  }
  return { token, expiresAt: new Date(exp * 1_000) };
}

/** @throws IssuerError if the workspace claim would overwrite another claim. */
export function checkWorkspaceClaim({ workspaceClaim }: TokenTerms): void {
  const taken = [workspaceClaim, `${workspaceClaim}s`].find((claim) =>
    ISSUER_CLAIMS.includes(claim),
  );
  if (taken === undefined) return;
  throw new IssuerError(`the workspace claim cannot be "${workspaceClaim}": "${taken}" is taken`);
}

/** Workspaces and permissions. A grant on topics has no `scope`, which says nothing of topics. */
function claimsOfGrant({ workspaces, permissions }: TokenRequest, { workspaceClaim }: TokenTerms) {
  const reading = isTopicGrants(permissions)
    ? readTopicGrant(workspaces, permissions)
    : readGrant(workspaces, permissions);
  if ('fault' in reading) throw invalid(reading.fault);
  const { grant } = reading;
  return {
    ...(grant.workspaces.length === 1
      ? { [workspaceClaim]: grant.workspaces[0] }
      : { [`${workspaceClaim}s`]: grant.workspaces }),
    ...('topics' in grant
      ? { permissions: grant.topics }
      : { permissions: grant.permissions, scope: grant.permissions.join(' ') }),
  };
}

function isTopicGrants(permissions: TokenRequest['permissions']): permissions is TopicGrants {
  return typeof permissions === 'object' && permissions !== null && !Array.isArray(permissions);
}

function readName(text: string, what: string): string {
  const isName = typeof text === 'string' && text.length > 0 && text.length <= MAX_NAME_LENGTH;
  if (isName && !hasControlCharacter(text)) return text;
  throw invalid(
    `the ${what} is not a text of 1 to ${MAX_NAME_LENGTH} characters without control characters`,
  );
}

function readLifetime(seconds: number): number {
  if (Number.isSafeInteger(seconds) && seconds >= 1) return seconds;
  throw invalid('the lifetime is not a whole number of seconds');
}

function invalid(fault: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', fault);
}
