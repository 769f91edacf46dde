import { isPattern, isWorkspace, type Permission } from '@sluice/protocol';
import { SluiceError, spreadRetryMs } from '../errors.js';
import { findToken, type TokenCarrier } from './find-token.js';
import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';
import type { Principal } from './principal.js';
import type { TokenVerifier } from './token-verifier.js';

/** How long the permission checker may take. */
const DECISION_DEADLINE_MS = 5_000;

/** The way in, for subscribing and publishing alike: every step ends in the next one or in one typed error. */
export class Gate {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly checker: PermissionChecker,
  ) {}

  /**
   * Token, claims and workspace: who asks, and is this their workspace?
   * @throws SluiceError MISSING_TOKEN, INVALID_REQUEST, INVALID_TOKEN, TOKEN_EXPIRED, WORKSPACE_MISMATCH, AUTH_ERROR
   */
  async identify(carrier: TokenCarrier, workspace: string): Promise<Principal> {
    if (!isWorkspace(workspace)) {
      throw new SluiceError(
        'INVALID_REQUEST',
        'The workspace is not a name of 1 to 64 letters, digits, "_" and "-".',
      );
    }
    const principal = await this.verifier.verify(findToken(carrier));
    if (!principal.workspaces.includes(workspace)) throw new SluiceError('WORKSPACE_MISMATCH');
    return principal;
  }

  /**
   * Asks whether the principal may do this. Returns the topic patterns it is narrowed to, or `null`.
   * @throws SluiceError FORBIDDEN, AUTH_ERROR
   */
  async permit(question: PermissionQuestion): Promise<readonly string[] | null> {
    const decision = await this.decide(question);
    if (!decision.allowed) throw forbidden(question.permission);
    return decision.topics ?? null;
  }

  private async decide(question: PermissionQuestion): Promise<Decision> {
    try {
      // Called within the promise, so that a checker that throws at once is no different from one that rejects.
      const decision: unknown = await withDeadline(
        Promise.resolve(question).then((asked) => this.checker.check(asked)),
      );
      if (isDecision(decision)) return decision;
      throw new TypeError('the permission checker did not answer with a decision');
    } catch (cause) {
      throw cannotDecide(cause);
    }
  }
}

/** Nothing that is merely truthy lets anybody in. */
function isDecision(value: unknown): value is Decision {
  if (typeof value !== 'object' || value === null) return false;
  const { allowed, topics } = value as Partial<Decision>;
  const isNarrowing =
    Array.isArray(topics) && topics.every((topic) => typeof topic === 'string' && isPattern(topic));
  return typeof allowed === 'boolean' && (topics === undefined || isNarrowing);
}

function withDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error('the permission checker did not answer in time')),
      DECISION_DEADLINE_MS,
    );
  });
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer));
}

export function forbidden(permission: Permission): SluiceError {
  return new SluiceError('FORBIDDEN', `"${permission}" was not granted here.`);
}

function cannotDecide(cause: unknown): SluiceError {
  return new SluiceError('AUTH_ERROR', 'The permission cannot be checked right now.', {
    cause,
    retryAfterMs: spreadRetryMs(3_000),
  });
}
