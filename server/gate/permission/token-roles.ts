import { ownClaim } from '../token/claims.js';

/** The roles that a token names: `roles`, a list, and `role`, a text. What is no text is no role. */
export function tokenRoles(claims: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const roles = ownClaim(claims, 'roles');
  const role = ownClaim(claims, 'role');
  const named: unknown[] = [...(Array.isArray(roles) ? roles : []), role];
  return new Set(named.filter((name) => typeof name === 'string'));
}
