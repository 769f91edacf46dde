import { createHash } from 'node:crypto';
import { keyOf, type Revocation, readRevocation } from '../revocation.js';

const NO_TIME = '-';

/** By what it is kept: what is revoked may be longer than the name of a field should be. */
export function digestOf(revocation: Revocation): string {
  // As JSON, since a lone surrogate would be hashed as any other.
  return createHash('sha256')
    .update(JSON.stringify([revocation.workspace, keyOf(revocation)]))
    .digest('base64url');
}

/** The times stand in front, where a script finds them. */
export function encodeRevocation({ before, revokedAt, ...what }: Revocation): string {
  const { workspace, kind, name, issuer } = what;
  const json = JSON.stringify({ workspace, kind, name, issuer });
  return `${before ?? NO_TIME} ${revokedAt} ${json}`;
}

/** @throws Error if the text is no revocation. */
export function decodeRevocation(text: string): Revocation {
  const [, before, revokedAt, json = ''] = /^(\S+) (\S+) (.*)$/s.exec(text) ?? [];
  return readRevocation({
    ...JSON.parse(json),
    before: before === NO_TIME ? null : readTime(before),
    revokedAt: readTime(revokedAt),
  });
}

function readTime(text: string | undefined): number | undefined {
  const time = Number(text);
  return Number.isFinite(time) ? time : undefined;
}
