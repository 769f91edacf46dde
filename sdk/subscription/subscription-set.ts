import {
  MAX_PATTERNS,
  type RealtimeEvent,
  type StreamConnected,
  type StreamGap,
} from '@sluice/protocol';
import { ResumePoint } from '../connection/resume-point.js';
import { type RealtimeError, withRetry } from '../errors.js';
import type { Subscriber } from './subscriber.js';

/**
 * Most characters of a list of patterns in an address. The service takes 16 KB of request line, in which there must be
 * room for two lists, a token and a cursor. A longer list is left out: more comes then, and is sorted out here.
 */
const MAX_LIST_LENGTH = 3_000;

/** What a stream asks for, and whose events it carries. */
export interface Demand {
  readonly subscribers: readonly Subscriber[];
  readonly topics: readonly string[];
  readonly types: readonly string[];
  readonly lastEventId: string | null;
}

/** The subscriptions that share one stream: joins what they ask for, and tells each what concerns it. */
export class SubscriptionSet {
  readonly #all = new Set<Subscriber>();
  readonly #onError: (error: RealtimeError) => void;
  /** After a refusal that one of several may have caused: they are let in one by one, to find out which. */
  #isOneByOne = false;

  /** @param onError hears of an error once, before the subscriptions that it concerns. Must not throw. */
  constructor(onError: (error: RealtimeError) => void) {
    this.#onError = onError;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether there is a subscription that the service has not refused. */
  get hasDemand(): boolean {
    return [...this.#all].some(({ isRefused }) => !isRefused);
  }

  /** Why there is no demand, where all that are left were refused. */
  get refusal(): RealtimeError | null {
    return [...this.#all].find(({ isRefused }) => isRefused)?.refusal ?? null;
  }

  /** Whether somebody waits for a stream that carries its events. */
  get hasWaiting(): boolean {
    return this.#waiting().length > 0;
  }

  add(subscriber: Subscriber): void {
    this.#all.add(subscriber);
  }

  delete(subscriber: Subscriber): boolean {
    return this.#all.delete(subscriber);
  }

  /** Ends them all. */
  close(): void {
    for (const subscriber of this.#all) subscriber.close();
    this.#all.clear();
  }

  /**
   * What the next stream asks for: on behalf of all that the live one carries, and of those who wait and can begin
   * together. Who cannot waits for the stream after that one.
   * @param cursor where the live stream is, or the last one came to; `null` before the first
   */
  demand(cursor: string | null): Demand {
    const waiting = this.#isOneByOne ? this.#waiting().slice(0, 1) : this.#waiting();
    const fresh = waiting.filter(({ position }) => position.cursor === null);
    const admitted = [...this.#all].filter(({ isAdmitted }) => isAdmitted);
    if (cursor === null && fresh.length > 0) return demandOf([...admitted, ...fresh], null);

    let start = new ResumePoint(cursor ?? waiting[0]?.position.cursor ?? null);
    let joining = waiting.filter(
      ({ position }) => position.cursor === null || start.isComparable(position.cursor),
    );
    if (joining.length === 0 && waiting[0] !== undefined) {
      // Of another epoch than the stream: the service will tell it of its gap, and the others have come further.
      joining = [waiting[0]];
      start = waiting[0].position;
    }
    for (const { position } of joining) {
      if (position.cursor !== null && start.isBeyond(position.cursor)) start = position;
    }
    return demandOf([...admitted, ...joining], start.cursor);
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
      if (!subscriber.isAdmitted && this.#all.has(subscriber)) subscriber.admit(connected, cursor);
    }
    if (!this.hasWaiting) this.#isOneByOne = false;
  }

  /** The stream has ended, having come to `seen`. */
  leave(seen: string | null, willReconnect: boolean): void {
    this.#see(seen);
    for (const subscriber of this.#all) subscriber.leave(willReconnect);
  }

  onEvent(event: RealtimeEvent, cursor: string): void {
    const context = { cursor };
    for (const subscriber of this.#all) subscriber.onEvent(event, context);
  }

  onGap(gap: StreamGap, cursor: string): void {
    for (const subscriber of this.#all) subscriber.onGap(gap, cursor);
  }

  /** Tells everybody of an error, but for those who were refused: they have been told. */
  onError(error: RealtimeError): void {
    this.#tell(
      [...this.#all].filter(({ isRefused }) => !isRefused),
      error,
    );
  }

  /** Tells of an error of a stream that is to take the place of the live one those who wait for it. */
  onErrorOfNext(error: RealtimeError): void {
    this.#tell(this.#waiting(), error);
  }

  /**
   * A refusal at the door that may be about what one of several subscriptions asks for. Finds out whose, tells that
   * one, and says whether there is another attempt to be made for the others.
   */
  isolate({ subscribers }: Demand, error: RealtimeError): boolean {
    const newcomers = subscribers.filter((subscriber) => !subscriber.isAdmitted);
    const [newcomer] = newcomers;
    if (newcomer === undefined) return false;
    if (newcomers.length > 1) {
      this.#isOneByOne = true;
      return this.hasDemand;
    }
    // It went while the service was asked: what is refused concerns nobody any more.
    if (!this.#all.has(newcomer)) return this.hasDemand;
    if (this.size === 1) return false;
    this.#isOneByOne = true;
    newcomer.refusal = withRetry(error, false);
    this.#tell(newcomers, newcomer.refusal);
    return this.hasDemand;
  }

  /** Gives those who were refused another chance, with another token. */
  forgive(): void {
    this.#isOneByOne = false;
    for (const subscriber of this.#all) subscriber.refusal = null;
  }

  #waiting(): Subscriber[] {
    return [...this.#all].filter(({ isAdmitted, isRefused }) => !isAdmitted && !isRefused);
  }

  #tell(concerned: readonly Subscriber[], error: RealtimeError): void {
    if (concerned.length > 0) this.#onError(error);
    for (const subscriber of concerned) subscriber.onError(error);
  }

  /** All that the stream carried has been seen by those whom it carried it for. */
  #see(cursor: string | null): void {
    if (cursor === null) return;
    for (const { isAdmitted, position } of this.#all) {
      // A stream that begins with a gap stands in another epoch until it has told of it.
      if (isAdmitted && position.isComparable(cursor)) position.advance(cursor);
    }
  }
}

function demandOf(subscribers: readonly Subscriber[], lastEventId: string | null): Demand {
  return {
    subscribers,
    topics: join(subscribers.map(({ options }) => options.topics)),
    types: join(subscribers.map(({ options }) => options.types)),
    lastEventId,
  };
}

/** One list for several; empty (all) where one of them asks for all, or where they are too long for an address. */
function join(lists: readonly (readonly string[] | undefined)[]): readonly string[] {
  const joined = new Set<string>();
  for (const list of lists) {
    if (list === undefined) return [];
    for (const pattern of list) joined.add(pattern);
  }
  const isTooLong =
    joined.size > MAX_PATTERNS || encodeURIComponent([...joined].join()).length > MAX_LIST_LENGTH;
  return isTooLong ? [] : [...joined].sort();
}
