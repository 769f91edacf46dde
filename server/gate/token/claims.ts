import type { TokenRules, TrustedIssuer } from '../../config.js';
import { SluiceError } from '../../errors.js';
import type { Principal } from '../principal.js';

type Claims = Readonly<Record<string, unknown>>;

const MAX_SUBJECT_LENGTH = 256;
const MAX_WORKSPACES = 1_000;

/** A claim of the token's own: not one that every object has. */
export function ownClaim(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

/**
 * Checks the claims of a token whose signature holds. Expiry comes last, so that only a token that would otherwise
 * be good is called expired, which invites its bearer to renew it.
 * @param now seconds since 1970
 * @throws SluiceError INVALID_TOKEN or TOKEN_EXPIRED
 */
export function readClaims(
  claims: Claims,
  { issuer, audience }: Pick<TrustedIssuer, 'issuer' | 'audience'>,
  rules: TokenRules,
  now: number,
): Principal {
  const expiresAt = readTime(claims, 'exp');
  if (ownClaim(claims, 'iss') !== issuer) throw invalid('The token is of another issuer.');
  checkAudience(ownClaim(claims, 'aud'), audience);
  const subject = readSubject(ownClaim(claims, 'sub'));
  const workspaces = readWorkspaces(claims, rules.workspaceClaim);
  for (const name of ['nbf', 'iat'] as const) {
    if ((readOptionalTime(claims, name) ?? 0) > now + rules.clockToleranceSeconds) {
      throw invalid(`The token's "${name}" lies ahead.`);
    }
  }
  if (expiresAt > now + rules.maxLifetimeSeconds + rules.clockToleranceSeconds) {
    throw invalid('The token\'s "exp" lies too far ahead.');
  }
  // Revocations are forgotten after the longest life: a token that lives longer would be good again late in its life.
  const issuedAt = readOptionalTime(claims, 'iat');
  if (issuedAt !== null && expiresAt - issuedAt > rules.maxLifetimeSeconds) {
    throw invalid('The token lives too long.');
  }
  if (expiresAt + rules.clockToleranceSeconds <= now) throw new SluiceError('TOKEN_EXPIRED');
  return {
    subject,
    issuer,
    clientId: readName(claims, 'client_id') ?? readName(claims, 'azp'),
    tokenId: readName(claims, 'jti'),
    issuedAt,
    workspaces,
    expiresAt,
    claims,
  };
}

/** A NumericDate (RFC 7519, section 2), which must be there. */
function readTime(claims: Claims, name: string): number {
  const value = ownClaim(claims, name);
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw invalid(`The token's "${name}" is missing or not a time.`);
  }
  return value;
}

function readOptionalTime(claims: Claims, name: string): number | null {
  return ownClaim(claims, name) === undefined ? null : readTime(claims, name);
}

function checkAudience(value: unknown, audience: string): void {
  // RFC 7519, section 4.1.3: one string, or an array of strings.
  const audiences = Array.isArray(value) ? value : [value];
  const isWellFormed = audiences.every((item) => typeof item === 'string');
  if (!isWellFormed || !audiences.includes(audience)) {
    throw invalid('The token is for another audience.');
  }
}

function readSubject(value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_SUBJECT_LENGTH) {
    throw invalid('The token\'s "sub" is missing or not a name.');
  }
  return value;
}

/** A claim that need not be there, but is a text if it is. */
function readName(claims: Claims, name: string): string | null {
  const value = ownClaim(claims, name);
  if (value === undefined) return null;
  if (typeof value === 'string' && value.length <= MAX_SUBJECT_LENGTH) return value;
  throw invalid(`The token's "${name}" is not a name.`);
}

/** One workspace under the claim's name, several under its plural. No name stands for others: `*` is a name. */
function readWorkspaces(claims: Claims, claimName: string): readonly string[] {
  const one = ownClaim(claims, claimName);
  const several = ownClaim(claims, `${claimName}s`);
  if (one !== undefined && typeof one !== 'string') {
    throw invalid(`The token's "${claimName}" is not a text.`);
  }
  if (several !== undefined && !isListOfTexts(several)) {
    throw invalid(`The token's "${claimName}s" is not a list of texts.`);
  }
  return [...(one === undefined ? [] : [one]), ...(several ?? [])];
}

function isListOfTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_WORKSPACES &&
    value.every((item) => typeof item === 'string')
  );
}

function invalid(detail: string): SluiceError {
  return new SluiceError('INVALID_TOKEN', detail);
}
