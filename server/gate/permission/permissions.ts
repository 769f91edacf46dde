import {
  isPattern,
  type Permission,
  patternsOverlap,
  type ServiceErrorCode,
} from '@sluice/protocol';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import { type Audit, auditedPrincipal, type DecisionRecord } from '../audit.js';
import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';

/** How long the permission checker may take. */
const DECISION_DEADLINE_MS = 5_000;
/** Most patterns that a decision may narrow to: each of them is compared with each event. */
const MAX_GRANTED = 1_000;

/** `failed`: nobody could say. */
export type DecisionOutcome = 'allowed' | 'denied' | 'failed';
export type DecisionCounts = Readonly<Record<DecisionOutcome, number>>;

/** Asks the permission checker, and believes it nothing but a well-formed answer in time. */
export class Permissions {
  /** Decisions since the start, those about open streams among them. */
  private readonly counts = new Map<Permission, Record<DecisionOutcome, number>>();
  /** For the next question. One that was answered at once has left it as it was. */
  private giveUp = new AbortController();

  constructor(
    private readonly checker: PermissionChecker,
    private readonly audit: Audit,
  ) {}

  get decisions(): ReadonlyMap<Permission, DecisionCounts> {
    return this.counts;
  }

  /** Whether an answer can change while its token lives. */
  get canChange(): boolean {
    return this.checker.canChangeItsMind ?? true;
  }

  /**
   * Asks whether the principal may do this. Returns the topic patterns it is narrowed to, or `null`.
   * @throws SluiceError FORBIDDEN, also where a topic is named outright that is not among the permitted ones; AUTH_ERROR
   */
  async permit(question: PermissionQuestion): Promise<readonly string[] | null> {
    const askedAt = performance.now();
    const tell = (outcome: DecisionRecord['outcome'], granted: readonly string[] | null) => {
      // That a stream stays as it is, is no news; `recordEnd` tells of those that do not.
      if (question.occasion !== 'recheck') this.record(question, outcome, granted, askedAt);
    };
    try {
      const decision = await this.decide(question);
      if (!decision.allowed) throw forbidden(question.permission);
      // A copy: what is permitted must not change in the hands of whoever said so.
      const permitted = decision.topics === undefined ? null : [...decision.topics];
      checkTopics(question, permitted);
      this.count(question.permission, 'allowed');
      tell('ok', permitted);
      return permitted;
    } catch (error) {
      const isDenial = error instanceof SluiceError && error.code === 'FORBIDDEN';
      this.count(question.permission, isDenial ? 'denied' : 'failed');
      tell(error instanceof SluiceError ? error.code : 'INTERNAL_ERROR', null);
      throw error;
    }
  }

  /** Tells the audit log that what was permitted once has been ended, and by which code. */
  recordEnd(question: PermissionQuestion, code: ServiceErrorCode): void {
    this.record(question, code, null, performance.now());
  }

  private count(permission: Permission, outcome: DecisionOutcome): void {
    const counts = this.counts.get(permission) ?? { allowed: 0, denied: 0, failed: 0 };
    this.counts.set(permission, counts);
    counts[outcome]++;
  }

  private record(
    question: PermissionQuestion,
    outcome: DecisionRecord['outcome'],
    granted: readonly string[] | null,
    askedAt: number,
  ): void {
    const checker = this.checker.name ?? 'custom';
    this.audit.record(recordOf(question, checker, outcome, granted, askedAt));
  }

  private async decide(question: PermissionQuestion): Promise<Decision> {
    try {
      const decision: unknown = await this.ask(question);
      if (isDecision(decision)) return decision;
      throw new TypeError('the permission checker did not answer with a decision');
    } catch (cause) {
      throw new SluiceError('AUTH_ERROR', 'The permission cannot be checked right now.', {
        cause,
        retryAfterMs: spreadRetryMs(3_000),
      });
    }
  }

  /** A timer and a signal cost more than most answers; one that is there already needs neither. */
  private ask(question: PermissionQuestion): unknown {
    const { giveUp } = this;
    const answer: unknown = this.checker.check(question, giveUp.signal);
    if (!isAwaited(answer)) return answer;
    this.giveUp = new AbortController();
    return inTime(answer, giveUp);
  }
}

function isAwaited(answer: unknown): answer is PromiseLike<unknown> {
  return typeof (answer as Partial<PromiseLike<unknown>> | null)?.then === 'function';
}

/** Nothing that is merely truthy lets anybody in. */
function isDecision(value: unknown): value is Decision {
  if (typeof value !== 'object' || value === null) return false;
  const { allowed, topics } = value as Partial<Decision>;
  const isNarrowing =
    Array.isArray(topics) &&
    topics.length <= MAX_GRANTED &&
    topics.every((topic) => typeof topic === 'string' && isPattern(topic));
  return typeof allowed === 'boolean' && (topics === undefined || isNarrowing);
}

/** What is asked for must lie, at least in part, within what is permitted. */
function checkTopics(
  { topics, permission }: PermissionQuestion,
  permitted: readonly string[] | null,
) {
  if (permitted === null) return;
  const asked = topics ?? ['*'];
  const isPermitted = (topic: string) =>
    permitted.some((pattern) => patternsOverlap(pattern, topic));
  if (!asked.every(isPermitted)) throw forbidden(permission);
}

async function inTime<T>(answer: PromiseLike<T>, giveUp: AbortController): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const late = new Error('the permission checker did not answer in time');
      reject(late);
      giveUp.abort(late);
    }, DECISION_DEADLINE_MS);
  });
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function forbidden(permission: Permission): SluiceError {
  return new SluiceError('FORBIDDEN', `"${permission}" was not granted here.`);
}

function recordOf(
  { principal, workspace, permission, topics, requestId }: PermissionQuestion,
  checker: string,
  outcome: DecisionRecord['outcome'],
  granted: readonly string[] | null,
  askedAt: number,
): DecisionRecord {
  return {
    kind: 'decision',
    requestId,
    workspace,
    ...auditedPrincipal(principal),
    permission,
    topics,
    checker,
    outcome,
    granted,
    durationMs: Math.round(performance.now() - askedAt),
  };
}
