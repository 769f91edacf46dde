import type { ServiceErrorCode } from '@sluice/protocol';
import type { RecheckRules } from '../../config.js';
import { DEADLINE_STEP_MS, Deadlines } from '../../deadlines.js';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import type { Permissions } from '../permission/permissions.js';
import type { AdmittedStream, Recheckable } from './admitted-stream.js';
import { isNarrower } from './narrowing.js';

/** Questions that may be open at once: the checker has the requests at the door to answer too. */
const MAX_ASKED_AT_ONCE = 100;
/** Mean time until a question that could not be answered is asked again, unless the interval is shorter. */
const RETRY_MS = 5_000;
/** How long beyond the grace a stream may wait for its turn to be asked about, behind others without an answer. */
const MAX_TURN_MS = 10_000;
/** How often it is told that questions are not answered. */
const TELL_INTERVAL_MS = 60_000;

/** In ms. Not the time of day, which may be set: no question is put off by that. */
const clock = () => performance.now();

/** Asks again and again whether streams that are open still may be. */
export class Rechecks {
  private readonly due = new Deadlines<AdmittedStream>();
  /** Those whose turn it is, the first one first. */
  private readonly waiting = new Set<AdmittedStream>();
  private readonly timer: NodeJS.Timeout;
  private asked = 0;
  private isScheduled = false;
  private isClosed = false;
  private toldAt = Number.NEGATIVE_INFINITY;
  /** Streams about which the last question was not answered. */
  private readonly unanswered = new Set<AdmittedStream>();

  /** @param onFailure told, now and then, why a question was not answered. */
  constructor(
    private readonly rules: RecheckRules,
    private readonly permissions: Permissions,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.timer = setInterval(() => this.look(), DEADLINE_STEP_MS).unref();
  }

  /** Streams whose permission cannot be asked for. */
  get failing(): number {
    return this.unanswered.size;
  }

  /** The first question comes at any time within the interval: streams that opened together are not asked about together. */
  add(stream: AdmittedStream): void {
    this.plan(stream, clock() + Math.random() * this.rules.intervalMs);
  }

  remove(stream: AdmittedStream): void {
    this.due.remove(stream, stream.recheckAt);
    this.waiting.delete(stream);
    this.unanswered.delete(stream);
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    this.waiting.clear();
  }

  private plan(stream: AdmittedStream, time: number): void {
    stream.recheckAt = time;
    this.due.add(stream, time);
  }

  private look(): void {
    const now = clock();
    for (const stream of this.due.takeDue(now)) {
      if (stream.unansweredSince === 0) stream.unansweredSince = now;
      this.waiting.add(stream);
    }
    // A checker that lets everybody wait cannot be asked either.
    for (const stream of this.waiting) {
      if (now - stream.unansweredSince > this.rules.graceMs + MAX_TURN_MS)
        this.endUnanswered(stream);
    }
    this.askSome();
  }

  /** Turn by turn, since a checker that answers at once would hold the event loop until all are asked. */
  private askSoon(): void {
    if (this.isScheduled || this.waiting.size === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.askSome();
    });
  }

  private askSome(): void {
    for (const stream of this.waiting) {
      if (this.asked >= MAX_ASKED_AT_ONCE) return;
      this.waiting.delete(stream);
      if (stream.recheckable !== null && !stream.isOver) {
        void this.ask(stream, stream.recheckable);
      }
    }
  }

  private async ask(stream: AdmittedStream, recheckable: Recheckable): Promise<void> {
    this.asked++;
    try {
      const question = { ...recheckable.question, mustBeFresh: true, occasion: 'recheck' } as const;
      const permitted = await this.permissions.permit(question);
      this.onPermitted(stream, recheckable, permitted);
    } catch (error) {
      this.onRefused(stream, error);
    } finally {
      this.asked--;
      this.askSoon();
    }
  }

  private onPermitted(
    stream: AdmittedStream,
    { question, permitted: before }: Recheckable,
    permitted: readonly string[] | null,
  ): void {
    if (this.isClosed || stream.isOver) return;
    if (isNarrower(question.topics, before, permitted)) {
      // It is to go on with less than it has: the client comes back at its cursor, and gets that.
      this.withdraw(
        stream,
        'UNAVAILABLE',
        'The topics that are permitted have changed: connect anew.',
      );
      return;
    }
    stream.unansweredSince = 0;
    this.unanswered.delete(stream);
    // Never more than the interval lies between two questions.
    this.plan(stream, clock() + this.rules.intervalMs * (0.8 + Math.random() * 0.2));
  }

  private onRefused(stream: AdmittedStream, error: unknown): void {
    if (this.isClosed || stream.isOver) return;
    if (error instanceof SluiceError && error.code === 'FORBIDDEN') {
      this.withdraw(stream, 'FORBIDDEN', 'The permission for this stream was withdrawn.');
      return;
    }
    const now = clock();
    this.unanswered.add(stream);
    this.tell(error, now);
    const graceEndsAt = stream.unansweredSince + this.rules.graceMs;
    if (now >= graceEndsAt) this.endUnanswered(stream);
    else this.plan(stream, Math.min(now + this.retryMs(), graceEndsAt));
  }

  private retryMs(): number {
    return spreadRetryMs(Math.min(RETRY_MS, this.rules.intervalMs));
  }

  private tell(error: unknown, now: number): void {
    if (now - this.toldAt < TELL_INTERVAL_MS) return;
    this.toldAt = now;
    this.onFailure(error instanceof SluiceError ? (error.cause ?? error) : error);
  }

  private endUnanswered(stream: AdmittedStream): void {
    const detail = 'The permission for this stream could not be checked for too long.';
    this.withdraw(stream, 'AUTH_ERROR', detail);
  }

  private withdraw(stream: AdmittedStream, code: ServiceErrorCode, detail: string): void {
    if (stream.isOver || stream.recheckable === null) return;
    this.permissions.recordEnd(stream.recheckable.question, code);
    stream.withdraw(code, detail);
  }
}
