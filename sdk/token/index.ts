import { renewalAheadMs } from '../auth/renewal.js';
import { RealtimeError } from '../errors.js';
import { parseJsonObject } from '../http/response-body.js';

/** What a token says of itself (RFC 7519, section 4.1), and whatever else its issuer put in. Not verified. */
export interface TokenClaims {
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string | readonly string[];
  /** When the token ends, in seconds since 1970. */
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly [claim: string]: unknown;
}

/** What time it is, and how far that may be wrong. */
export interface TokenTimeOptions {
  /** The time, in milliseconds since 1970. Default: that of this machine. */
  readonly nowMs?: number;
  /** Milliseconds by which this clock may be behind: the token counts as that much older. Default: 0. */
  readonly skewMs?: number;
}

/**
 * Reads the claims of a JWT. Nothing is verified, neither the signature nor the claims: whoever has a token can write
 * into it what they like. Good for showing and planning, never for letting somebody in.
 * @throws RealtimeError INVALID_TOKEN, without the token in it.
 */
export function decodeToken(token: string): TokenClaims {
  const parts = String(token).split('.', 4);
  const claims = parts.length === 3 ? readPart(parts[1]) : null;
  if (claims === null) throw invalidToken('The token is not a JWT that can be read');
  return claims;
}

/**
 * Milliseconds until the token ends, by its own word; negative once it has.
 * @throws RealtimeError INVALID_TOKEN, also where the token does not say when it ends.
 */
export function getTokenExpiresIn(token: string, options: TokenTimeOptions = {}): number {
  return timesOf(token, options).leftMs;
}

/**
 * Whether the token has ended, by its own word. That it has not does not make it valid.
 * @throws RealtimeError INVALID_TOKEN, also where the token does not say when it ends.
 */
export function isTokenExpired(token: string, options: TokenTimeOptions = {}): boolean {
  return timesOf(token, options).leftMs <= 0;
}

/**
 * Whether it is time for the next token, by the rule of the client: 60 seconds before the end, or when four fifths of
 * the life are over, whichever is later. A token that does not say when it was issued (`iat`): 60 seconds before.
 * @throws RealtimeError INVALID_TOKEN, also where the token does not say when it ends.
 */
export function shouldRefreshToken(token: string, options: TokenTimeOptions = {}): boolean {
  const { leftMs, lifeMs } = timesOf(token, options);
  return leftMs <= Math.max(0, renewalAheadMs(lifeMs));
}

function timesOf(
  token: string,
  { nowMs = Date.now(), skewMs = 0 }: TokenTimeOptions,
): { leftMs: number; lifeMs: number } {
  const { exp, iat } = decodeToken(token);
  if (!isTime(exp)) throw invalidToken('The token does not say when it ends');
  const lifeMs = isTime(iat) ? (exp - iat) * 1000 : Number.POSITIVE_INFINITY;
  return { leftMs: exp * 1000 - nowMs - skewMs, lifeMs };
}

function isTime(seconds: unknown): seconds is number {
  return typeof seconds === 'number' && Number.isFinite(seconds);
}

/** A part of a JWT: JSON as UTF-8 in base64url (RFC 7515, section 2); `null` where it is none. */
function readPart(part = ''): Record<string, unknown> | null {
  if (!/^[\w-]+$/.test(part)) return null;
  try {
    // What `atob` gives is one byte a character.
    const bytes = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
    const utf8 = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
    return parseJsonObject(new TextDecoder('utf-8', { fatal: true }).decode(utf8));
  } catch {
    return null;
  }
}

function invalidToken(message: string): RealtimeError {
  return new RealtimeError('INVALID_TOKEN', { message });
}
