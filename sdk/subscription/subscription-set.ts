import {
  MAX_PATTERNS,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import { ResumePoint } from '../connection/resume-point.js';
import { type RealtimeError, withRetry } from '../errors.js';
import type { StreamRequest } from '../transport/transport.js';
import type { Subscriber } from './subscriber.js';

/**
 * Most characters of a list of patterns in an address. The service takes 16 KB of request line, in which there must be
 * room for two lists, a token and a cursor. A longer list is left out: more comes then, and is sorted out here.
 */
const MAX_LIST_LENGTH = 3_000;

/** What a stream asks for, and whose events it carries. */
export interface Demand extends Pick<StreamRequest, 'topics' | 'types' | 'lastEventId'> {
  readonly subscribers: readonly Subscriber[];
}

/** The subscriptions that share one stream: joins what they ask for, and tells each what concerns it. */
export class SubscriptionSet extends Set<Subscriber> {
  readonly #onError: (error: RealtimeError) => void;
  /** After a refusal that one of several may have caused: they are let in one by one, to find out which. */
  #isOneByOne = false;

  /** @param onError hears of an error once, before the subscriptions that it concerns. Must not throw. */
  constructor(onError: (error: RealtimeError) => void) {
    super();
    this.#onError = onError;
  }

  /** Whether there is a subscription that the service has not refused. */
  get hasDemand(): boolean {
    return this.#allowed.length > 0;
  }

  /** Why there is no demand, where all that are left were refused. */
  get refusal(): RealtimeError | null {
    const [first] = this;
    return first?.refusal ?? null;
  }

  /** Whether somebody waits for a stream that carries its events. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Ends them all. */
  close(): void {
    for (const subscriber of this) subscriber.close();
    this.clear();
  }

  /**
   * What the next stream asks for: on behalf of all that the live one carries, and of those who wait and can begin
   * together. Who cannot waits for the stream after that one.
   * @param cursor where the live stream is, or the last one came to; `null` before the first
   */
  demand(cursor: string | null): Demand {
    const waiting = this.#isOneByOne ? this.#waiting.slice(0, 1) : this.#waiting;
    const [first] = waiting;
    // Somebody who has seen nothing is let in where the stream is, and begins it where there is none.
    const isFresh = ({ position }: Subscriber): boolean => position.cursor === null;
    const from = cursor ?? (waiting.some(isFresh) ? null : first?.position.cursor);
    let start = new ResumePoint(from ?? null);
    let joining = waiting.filter((one) => isFresh(one) || hasOrder(start, one.position.cursor));
    if (joining.length === 0 && first !== undefined) {
      // Of another epoch than the stream: the service will tell it of its gap, and the others have come further.
      joining = [first];
      start = first.position;
    }
    for (const { position } of joining) {
      if (start.distanceTo(position.cursor) < 0) start = position;
    }
    const subscribers = [...[...this].filter(({ isAdmitted }) => isAdmitted), ...joining];
    return {
      subscribers,
      topics: join(subscribers, 'topics'),
      types: join(subscribers, 'types'),
      lastEventId: start.cursor,
    };
  }

  /**
   * A stream has been let in, on behalf of `demand`, and takes the place of one that had come to `seen`.
   * @param cursor behind which it goes on
   */
  admit(
    demand: Demand,
    connected: StreamConnected,
    cursor: string | null,
    seen: string | null,
  ): void {
    this.#see(seen);
    for (const subscriber of demand.subscribers) {
      if (!subscriber.isAdmitted && this.has(subscriber)) subscriber.admit(connected, cursor);
    }
    if (!this.hasWaiting) this.#isOneByOne = false;
  }

  /** The stream has ended, having come to `seen`. */
  leave(seen: string | null, willReconnect: boolean): void {
    this.#see(seen);
    for (const subscriber of this) subscriber.leave(willReconnect);
  }

  onEvent(event: RealtimeEvent, cursor: string): void {
    for (const subscriber of this) subscriber.onEvent(event, cursor);
  }

  onGap(gap: StreamGap, cursor: string): void {
    for (const subscriber of this) subscriber.onGap(gap, cursor);
  }

  /**
   * Tells of an error. Those who were refused have been told already.
   * @param isOfNext whether it is of a stream that is to take the place of the live one: concerns those who wait for it
   */
  onError(error: RealtimeError, isOfNext = false): void {
    this.#tell(isOfNext ? this.#waiting : this.#allowed, error, isOfNext);
  }

  /**
   * A refusal at the door that may be about what one of several subscriptions asks for. Finds out whose, tells that
   * one, and says whether there is another attempt to be made for the others.
   */
  isolate({ subscribers }: Demand, error: RealtimeError): boolean {
    const newcomers = subscribers.filter((subscriber) => !subscriber.isAdmitted);
    const [newcomer, another] = newcomers;
    if (another !== undefined || newcomer === undefined) {
      if (this.size === 1) return false;
      this.#isOneByOne = true;
    } else if (this.has(newcomer)) {
      if (this.size === 1) return false;
      this.#isOneByOne = true;
      newcomer.refusal = withRetry(error, false);
      this.#tell(newcomers, newcomer.refusal);
    }
    // Else it went while the service was asked: what is refused concerns nobody any more.
    return this.hasDemand;
  }

  /** Gives those who were refused another chance, with another token. */
  forgive(): void {
    this.#isOneByOne = false;
    for (const subscriber of this) subscriber.refusal = null;
  }

  get #allowed(): Subscriber[] {
    return [...this].filter(({ refusal }) => refusal === null);
  }

  get #waiting(): Subscriber[] {
    return this.#allowed.filter(({ isAdmitted }) => !isAdmitted);
  }

  #tell(concerned: readonly Subscriber[], error: RealtimeError, isOfNext = false): void {
    if (concerned.length > 0 || isOfNext) this.#onError(error);
    for (const subscriber of concerned) subscriber.onError(error);
  }

  /** All that the stream carried has been seen by those whom it carried it for. */
  #see(cursor: string | null): void {
    if (cursor === null) return;
    for (const { isAdmitted, position } of this) {
      // A stream that begins with a gap stands in another epoch until it has told of it.
      if (isAdmitted && hasOrder(position, cursor)) position.advance(cursor);
    }
  }
}

/** Whether a point and a cursor are of one epoch. */
function hasOrder(point: ResumePoint, cursor: string | null): boolean {
  return !Number.isNaN(point.distanceTo(cursor));
}

/** One list for several; empty (all) where one of them asks for all, or where they are too long for an address. */
function join(subscribers: readonly Subscriber[], name: 'topics' | 'types'): readonly string[] {
  // No pattern is empty: that stands for all.
  const patterns = new Set(subscribers.flatMap(({ options }) => options[name] ?? ''));
  const list = [...patterns].sort();
  const isTooLong =
    list.length > MAX_PATTERNS || encodeURIComponent(list.join()).length > MAX_LIST_LENGTH;
  return isTooLong || patterns.has('') ? [] : list;
}
