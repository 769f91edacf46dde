import { ownClaim } from './claims.js';
import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';

/** Finds the permission in the token itself: in `permissions` (a list) or `scope` (RFC 8693, section 4.2). */
export const claimsPermissionChecker: PermissionChecker = {
  check({ principal, permission }: PermissionQuestion): Decision {
    const permissions = ownClaim(principal.claims, 'permissions');
    const scope = ownClaim(principal.claims, 'scope');
    return {
      allowed:
        (Array.isArray(permissions) && permissions.includes(permission)) ||
        (typeof scope === 'string' && scope.split(' ').includes(permission)),
    };
  },
};
