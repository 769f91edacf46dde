import { createHash } from 'node:crypto';

/** 96 bits: enough to tell any two tokens apart. */
const LENGTH = 16;

/**
 * What a token is called in logs: the beginning of its SHA-256, base64url. Nobody finds the token by it, since nobody can
 * guess a signature; whoever has the token finds what was done with it.
 */
export function tokenHashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, LENGTH);
}
