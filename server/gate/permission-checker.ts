import type { Permission } from '@sluice/protocol';
import type { Principal } from './principal.js';

/** May this principal do this in this workspace? */
export interface PermissionQuestion {
  readonly principal: Principal;
  readonly workspace: string;
  readonly permission: Permission;
  /** The topics, or patterns of them, that it is about; `null` for all. */
  readonly topics: readonly string[] | null;
}

export interface Decision {
  readonly allowed: boolean;
  /** Narrows an allowed principal to topics that match one of these patterns; absent for no narrowing. */
  readonly topics?: readonly string[];
}

/**
 * The IAM behind the gate. Whatever is not a well-formed decision, a throw and a timeout among it, is AUTH_ERROR and
 * never an entry.
 */
export interface PermissionChecker {
  check(question: PermissionQuestion): Decision | Promise<Decision>;
}
