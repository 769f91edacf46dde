import { createHash } from 'node:crypto';
import { isPattern } from '@sluice/protocol';
import {
  BrokenCircuitError,
  type BulkheadPolicy,
  bulkhead,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  TimeoutStrategy,
  timeout,
} from 'cockatiel';
import { LRUCache } from 'lru-cache';
import { fetchJson } from '../fetch-json.js';
import { authzenRequestOf } from './authzen-request.js';
import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';
import { SeveralSubjectsBreaker } from './several-subjects-breaker.js';

export interface AuthzenOptions {
  /** The base address of the policy decision point. */
  readonly url: string;
  /** Sent to it as a Bearer token; `null`: none. */
  readonly token: string | null;
  /** How long one call may take. A question waits for its turn as long, at the most. */
  readonly deadlineMs: number;
  /** How long a decision may be used again; 0: not at all. */
  readonly cacheMs: number;
}

/** How the asking goes. */
export interface AuthzenCalls {
  /** Since the start. */
  readonly ok: number;
  readonly failed: number;
  /** Questions that were answered by a decision that was kept, or by a call that was under way. */
  readonly cacheHits: number;
  /** Questions that wait for their turn. */
  readonly waiting: number;
  /** Whether nobody is asked for a while, since calls have failed. */
  readonly isBreakerOpen: boolean;
}

/** Where a single decision is asked for, below the base address (OpenID Authorization API 1.0, HTTPS binding). */
const EVALUATION_PATH = '/access/v1/evaluation';
const MAX_ANSWER_BYTES = 65_536;
const MAX_TOPICS = 1_000;
const MAX_CACHED = 20_000;
const MAX_CALLS = 50;
const MAX_WAITING = 1_000;
/** Of them, one subject has these: whoever asks without end waits for its own questions, and nobody else for it. */
const MAX_CALLS_OF_SUBJECT = 10;
const MAX_WAITING_OF_SUBJECT = 100;
const MAX_LANES = 2_000;
/** After failures in a row for so many subjects nobody is asked for a while, so that whoever is down is not also besieged. */
const FAILING_SUBJECTS_TO_OPEN = 5;
const OPEN_MS = 3_000;
/** After so many failures in a row for one subject its own questions rest: longer, so that others find out what is up again. */
const FAILURES_TO_OPEN_OF_SUBJECT = 5;
const OPEN_OF_SUBJECT_MS = 2 * OPEN_MS;

/** An answer that was refused for what this one question is, such as 400: no sign that others would be. */
class QuestionRefused extends Error {}

/** One call that is under way. */
interface Flight {
  readonly decision: Promise<Decision>;
}

/** What one subject has to itself. */
interface Lane {
  readonly room: BulkheadPolicy;
  readonly breaker: CircuitBreakerPolicy;
}

type Call = (signal: AbortSignal) => Promise<Decision>;

const FAILURES = handleWhen(isFailure);

/**
 * Asks a policy decision point by the OpenID Authorization API 1.0. Whatever is not a decision is a throw. The signal of
 * whoever asks is not looked at: a call has its own, shorter deadline, and others may wait for the same one.
 */
export class AuthzenPermissionChecker implements PermissionChecker {
  readonly name = 'authzen';
  readonly canChangeItsMind = true;

  private readonly endpoint: string;
  private readonly decisions: LRUCache<string, Decision> | null;
  private readonly flights = new Map<string, Flight>();
  /** By subject; more than can have a question under way at once. */
  private readonly lanes = new LRUCache<string, Lane>({ max: MAX_LANES });
  private readonly room = bulkhead(MAX_CALLS, MAX_WAITING);
  private readonly failing = new SeveralSubjectsBreaker(FAILING_SUBJECTS_TO_OPEN);
  private readonly breaker = circuitBreaker(FAILURES, {
    halfOpenAfter: OPEN_MS,
    breaker: this.failing,
  });
  private readonly limit;
  private readonly counts = { ok: 0, failed: 0, cacheHits: 0, waiting: 0 };

  constructor(private readonly options: AuthzenOptions) {
    const { url, cacheMs, deadlineMs } = options;
    this.endpoint = endpointOf(url);
    this.decisions = cacheMs > 0 ? new LRUCache({ max: MAX_CACHED, ttl: cacheMs }) : null;
    // Its time is over also where a call does not end when it is told to: others may wait for it.
    this.limit = timeout(deadlineMs, TimeoutStrategy.Aggressive);
  }

  get calls(): AuthzenCalls {
    return { ...this.counts, isBreakerOpen: this.breaker.state !== CircuitState.Closed };
  }

  async check(question: PermissionQuestion): Promise<Decision> {
    const request = authzenRequestOf(question);
    const body = JSON.stringify(request);
    const key = createHash('sha256').update(body).digest('base64url');
    if (!question.mustBeFresh) {
      const known = this.decisions?.get(key) ?? this.flights.get(key)?.decision;
      if (known !== undefined) {
        this.counts.cacheHits++;
        return known;
      }
    }
    const subject = JSON.stringify(request.subject);
    const call: Call = (signal) => this.call(body, question.requestId, signal);
    return this.start(key, () => this.inTurn(subject, call));
  }

  /** The newest call for a question is the one that others join, and the one whose decision is kept. */
  private async start(key: string, ask: () => Promise<Decision>): Promise<Decision> {
    const flight: Flight = { decision: ask() };
    this.flights.set(key, flight);
    try {
      const decision = await flight.decision;
      if (this.flights.get(key) === flight) this.decisions?.set(key, decision);
      return decision;
    } finally {
      if (this.flights.get(key) === flight) this.flights.delete(key);
    }
  }

  /** Waits for its turn, first among the questions of its subject, and is given up where it does not come in time. */
  private inTurn(subject: string, call: Call): Promise<Decision> {
    const lane = this.laneOf(subject);
    this.counts.waiting++;
    let isWaiting = true;
    const endWait = () => {
      if (isWaiting) this.counts.waiting--;
      isWaiting = false;
    };
    return new Promise((resolve, reject) => {
      const late = new Error('the question had to wait too long for its turn');
      let isLate = false;
      const patience = setTimeout(() => {
        isLate = true;
        reject(late);
      }, this.options.deadlineMs).unref();
      const begin = () => {
        clearTimeout(patience);
        endWait();
        return this.limited(subject, call);
      };
      const onTurn = () => {
        if (isLate) throw late;
        // Within both rooms: what finds none, or comes too late, is no failure of whoever is asked.
        return lane.breaker.execute(() => this.breaker.execute(begin));
      };
      // No signal says that it is late: a bulkhead whose next one is aborted never gets to those behind it.
      const decision = lane.room.execute(() => this.room.execute(onTurn));
      decision.then(resolve, reject).finally(() => {
        clearTimeout(patience);
        endWait();
      });
    });
  }

  private laneOf(subject: string): Lane {
    const known = this.lanes.get(subject);
    if (known !== undefined) return known;
    const lane: Lane = {
      room: bulkhead(MAX_CALLS_OF_SUBJECT, MAX_WAITING_OF_SUBJECT),
      breaker: circuitBreaker(FAILURES, {
        halfOpenAfter: OPEN_OF_SUBJECT_MS,
        breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN_OF_SUBJECT),
      }),
    };
    this.lanes.set(subject, lane);
    return lane;
  }

  private async limited(subject: string, call: Call): Promise<Decision> {
    try {
      const decision = await this.limit.execute(({ signal }) => call(signal));
      this.counts.ok++;
      return decision;
    } catch (error) {
      this.counts.failed++;
      if (isFailure(error)) this.failing.failedFor(subject);
      throw error;
    }
  }

  private async call(body: string, requestId: string, signal: AbortSignal): Promise<Decision> {
    const { token, deadlineMs } = this.options;
    const answer = await fetchJson(this.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': requestId,
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      body,
      maxBytes: MAX_ANSWER_BYTES,
      deadlineMs,
      signal,
    });
    if (answer.status === 200) return readDecision(answer.body);
    const reason = `the policy decision point answered ${answer.status}`;
    throw isAboutTheQuestion(answer.status) ? new QuestionRefused(reason) : new Error(reason);
  }
}

/** Whether it says that the next question would fail too. That a breaker is open is known already. */
function isFailure(error: unknown): boolean {
  return !(error instanceof QuestionRefused || error instanceof BrokenCircuitError);
}

function endpointOf(base: string): string {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/$/, '') + EVALUATION_PATH;
  return url.href;
}

/**
 * One principal whose questions are refused must not open the breaker for all. That the service itself is not let in
 * (401, 403), comes too often (429) or too slowly (408) concerns every question.
 */
function isAboutTheQuestion(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
}

/** Section 6.2: `decision` is a boolean; `context` may hold what else the decision says, here `topics`. */
function readDecision(body: unknown): Decision {
  const allowed = memberOf(body, 'decision');
  if (typeof allowed !== 'boolean') {
    throw new Error('the policy decision point did not answer with a decision');
  }
  const context = memberOf(body, 'context') ?? {};
  const topics = memberOf(context, 'topics');
  if (topics === undefined) return { allowed };
  if (!isListOfPatterns(topics)) {
    throw new Error('the policy decision point narrowed a decision to what are no topics');
  }
  return { allowed, topics };
}

/** A member of an object's own; `undefined` where it is not there. @throws Error if `value` is no object. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('the policy decision point did not answer with an object');
  }
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function isListOfPatterns(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_TOPICS &&
    value.every((item) => typeof item === 'string' && isPattern(item))
  );
}
