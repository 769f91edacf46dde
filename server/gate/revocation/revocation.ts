import type { RevocableToken } from './revocations.js';

/** What a revocation names: a token, whose tokens they are, which program's, or everybody's. */
export type RevocationKind = 'jti' | 'sub' | 'client_id' | 'all';

/** Tokens that are not good in a workspace any more. */
export interface Revocation {
  readonly workspace: string;
  readonly kind: RevocationKind;
  /** The name of that kind; empty for `all`. */
  readonly name: string;
  /** Whose tokens alone it is about; `null` for those of every issuer. */
  readonly issuer: string | null;
  /** Tokens issued (`iat`) until then, in ms since 1970; `null` for a `jti`, which is revoked whenever it was issued. */
  readonly before: number | null;
  /** When it was asked for, in ms since 1970. */
  readonly revokedAt: number;
}

/** What two revocations share if they are about the same thing, so that one takes the other's place. */
export function keyOf({
  kind,
  issuer,
  name,
}: Pick<Revocation, 'kind' | 'issuer' | 'name'>): string {
  // Issuers are settings, of one line each.
  return `${kind}\n${issuer ?? ''}\n${name}`;
}

/** One that holds for both, which are about the same thing: what is revoked is not given back by a narrower one. */
export function widest(one: Revocation, other: Revocation): Revocation {
  return {
    ...one,
    before:
      one.before === null || other.before === null ? null : Math.max(one.before, other.before),
    revokedAt: Math.max(one.revokedAt, other.revokedAt),
  };
}

/** Whether of two that are about the same thing one says what the other says. */
export function isSame(one: Revocation, other: Revocation): boolean {
  return one.before === other.before && one.revokedAt === other.revokedAt;
}

/** Whether a revocation that names the token revokes it: one that does not say when it was issued counts as old. */
export function includes({ before }: Revocation, { issuedAt }: RevocableToken): boolean {
  return before === null || issuedAt === null || issuedAt * 1_000 <= before;
}

/** Under which keys a revocation of this token can stand. */
export function keysFor({ issuer, subject, clientId, tokenId }: RevocableToken): string[] {
  const keys: string[] = [];
  for (const scope of [null, issuer]) {
    keys.push(keyOf({ kind: 'all', issuer: scope, name: '' }));
    keys.push(keyOf({ kind: 'sub', issuer: scope, name: subject }));
    if (clientId !== null) keys.push(keyOf({ kind: 'client_id', issuer: scope, name: clientId }));
    if (tokenId !== null) keys.push(keyOf({ kind: 'jti', issuer: scope, name: tokenId }));
  }
  return keys;
}

/** The revocation that a record holds. @throws TypeError if it is none. */
export function readRevocation(record: unknown): Revocation {
  const { workspace, kind, name, issuer, before, revokedAt } = record as Partial<Revocation>;
  if (
    typeof workspace !== 'string' ||
    (kind !== 'jti' && kind !== 'sub' && kind !== 'client_id' && kind !== 'all') ||
    typeof name !== 'string' ||
    (issuer !== null && typeof issuer !== 'string') ||
    (before !== null && typeof before !== 'number') ||
    typeof revokedAt !== 'number'
  ) {
    throw new TypeError('a record is not a revocation');
  }
  return { workspace, kind, name, issuer, before, revokedAt };
}
