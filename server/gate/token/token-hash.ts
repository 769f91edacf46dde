import { hash } from 'node:crypto';

/** 96 bits: enough to tell any two tokens apart. */
const LENGTH = 16;

/**
 * What a token is called in logs: the beginning of its SHA-256, base64url. Nobody finds the token by it, since nobody can
 * guess a signature; whoever has the token finds what was done with it.
 */
export function tokenHashOf(token: string): string {
  return shortHash(fullHashOf(token));
}

/** What nobody can find a second token for. */
export function fullHashOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

/** Of the full hash, what logs call the token. */
export function shortHash(fullHash: string): string {
  return fullHash.slice(0, LENGTH);
}
