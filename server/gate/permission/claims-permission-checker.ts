import { PERMISSIONS, type Permission } from '@sluice/protocol';
import type { Principal } from '../principal.js';
import { ownClaim } from '../token/claims.js';
import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';
import { permissionOf } from './permission-name.js';
import { tokenRoles } from './token-roles.js';
import { readTopicClaims, type TopicClaims } from './topic-claims.js';

type Claims = Principal['claims'];

const ROLES = new Map<string, readonly Permission[]>([
  ['admin', PERMISSIONS],
  ['service', ['realtime:subscribe', 'realtime:publish', 'realtime:presence']],
  ['client', ['realtime:subscribe', 'realtime:presence']],
]);

/** Finds the permission in the token itself: its roles, its scope, and its claim `permissions`. */
export const claimsPermissionChecker: PermissionChecker = {
  name: 'claims',
  canChangeItsMind: false,

  check({ principal: { claims }, permission }: PermissionQuestion): Decision {
    const isGranted = grantsAnywhere(claims, permission);
    const named = ownClaim(claims, 'permissions');
    const isAboutTopics = typeof named === 'object' && named !== null && !Array.isArray(named);
    if (!isAboutTopics) return { allowed: isGranted };

    const topics = readTopicClaims(named);
    // Who meant to narrow a token and failed did not mean to grant all topics.
    if (topics === null) return { allowed: false };
    // Administration is not about topics: a map neither grants nor narrows it.
    if (permission === 'realtime:admin') return { allowed: isGranted };
    return decisionOf(topicsOf(topics, permission, isGranted));
  },
};

/** Whether a role, the scope or the list `permissions` grants it, wherever that may be. */
function grantsAnywhere(claims: Claims, permission: Permission): boolean {
  const roles = tokenRoles(claims);
  const list = ownClaim(claims, 'permissions');
  const scope = ownClaim(claims, 'scope');
  return (
    [...roles].some((role) => ROLES.get(role)?.includes(permission) === true) ||
    (Array.isArray(list) && list.some((name) => permissionOf(name) === permission)) ||
    // RFC 8693, section 4.2. Full names only: what another service calls "publish" is another thing.
    (typeof scope === 'string' && scope.split(' ').includes(permission))
  );
}

/** The topics that a map grants it on; and the rooms, for subscribing and for what is granted beside them. */
function topicsOf(
  { rooms, actions }: TopicClaims,
  permission: Permission,
  isGranted: boolean,
): readonly string[] {
  const mapped = actions.filter(([, granted]) => granted.includes(permission));
  const areRoomsMeant = isGranted || permission === 'realtime:subscribe';
  return [...mapped.map(([topic]) => topic), ...(areRoomsMeant ? (rooms ?? []) : [])];
}

function decisionOf(topics: readonly string[]): Decision {
  if (topics.includes('*')) return { allowed: true };
  return topics.length === 0 ? { allowed: false } : { allowed: true, topics };
}
