import type { Permission } from '@sluice/protocol';
import type { Principal } from '../principal.js';

/** May this principal do this in this workspace? */
export interface PermissionQuestion {
  readonly principal: Principal;
  readonly workspace: string;
  readonly permission: Permission;
  /** The topics, or patterns of them, that it is about; `null` for all. */
  readonly topics: readonly string[] | null;
  /** Whether the answer must be of now: no earlier decision may stand in for it. */
  readonly mustBeFresh: boolean;
  /** The request on whose behalf it is asked. */
  readonly requestId: string;
  /**
   * Why it is asked: for a request (the default), or again for a stream that is open. A re-check that changes nothing is
   * not audited: of 10,000 streams a minute, that would be all there is to read.
   */
  readonly occasion?: 'request' | 'recheck';
}

export interface Decision {
  readonly allowed: boolean;
  /** Narrows an allowed principal to topics that match one of these patterns, at most 1,000; absent for no narrowing. */
  readonly topics?: readonly string[];
}

/**
 * The IAM behind the gate. Whatever is not a well-formed decision, a throw and a timeout among it, is AUTH_ERROR and
 * never an entry.
 */
export interface PermissionChecker {
  /** What the audit log calls it. Default `custom`. */
  readonly name?: string;
  /**
   * Whether the answer to a question can change while its token lives. If not, open streams need not ask again.
   * Default `true`.
   */
  readonly canChangeItsMind?: boolean;
  /** @param signal aborted when the answer is not waited for any more. */
  check(question: PermissionQuestion, signal: AbortSignal): Decision | Promise<Decision>;
}
