import {
  type ErrorCode,
  PARAMETERS,
  problemOf,
  type ServiceErrorCode,
  type StreamGap,
} from '@sluice/protocol';
import type { FetchLike, FetchLikeInit, FetchLikeResponse } from '@sluice/sdk';
import { elapsed } from './elapsed.js';
import { MemoryBody } from './memory-body.js';
import { MemoryLog, SECRET_TOPIC } from './memory-log.js';
import { MemoryStream } from './memory-stream.js';

/** What the next request meets at the door. */
export type DoorFault =
  | {
      readonly kind: 'refusal';
      readonly code: ServiceErrorCode;
      readonly retryAfterSeconds?: number;
    }
  | { readonly kind: 'network' }
  | { readonly kind: 'no-content' }
  /** The head comes after this time. */
  | { readonly kind: 'slow-head'; readonly ms: number }
  /** The head comes at once, `stream.connected` after this time. */
  | { readonly kind: 'slow-start'; readonly ms: number };

export interface ServiceTraits {
  /** Whether a resumed stream begins with events that the client has seen, as it may. */
  readonly repeatsItself: boolean;
  /** By how much its clock is ahead of the client's. */
  readonly clockAheadMs: number;
}

interface IssuedToken {
  expiresAtMs: number;
  isGood: boolean;
}

/** More requests than this within one moment are a client that has lost its patience. */
const MAX_REQUESTS_AT_ONCE = 40;

/**
 * A Sluice service in memory, behind the client's `fetch`: a log, a door, streams. It watches its client while it
 * serves, and takes down what no client may do.
 */
export class MemoryService {
  readonly log = new MemoryLog();
  /** What the client did that it must not do. */
  readonly violations: string[] = [];
  /** Where requests may come to now. */
  endpoint: string;
  isReachable = true;
  gaps = 0;
  requests = 0;
  /** From the coming of its request on, until it was refused, has ended, or its client has gone. */
  #streams: MemoryStream[] = [];
  readonly #tokens = new Map<string, IssuedToken>();
  readonly #door: DoorFault[] = [];
  /** Errors that it has made its client, and that no client could have seen coming. */
  readonly surprises = new Set<ErrorCode>();
  readonly #repeatsItself: boolean;
  /** By how much its clock is ahead of the client's. */
  readonly #clockAheadMs: number;
  #momentMs = 0;
  #requestsNow = 0;

  constructor(endpoint: string, { repeatsItself, clockAheadMs }: ServiceTraits) {
    this.endpoint = endpoint;
    this.#repeatsItself = repeatsItself;
    this.#clockAheadMs = clockAheadMs;
  }

  get openStreams(): readonly MemoryStream[] {
    this.#streams = this.#streams.filter(({ isOpen }) => isOpen);
    return this.#streams;
  }

  issueToken(lifeMs: number, isGood = true): string {
    const token = `classified-${this.#tokens.size + 1}`;
    if (!isGood) this.surprises.add('INVALID_TOKEN');
    this.#tokens.set(token, { expiresAtMs: Date.now() + lifeMs, isGood });
    return token;
  }

  expiryOf(token: string): string {
    const expiresAtMs = this.#tokens.get(token)?.expiresAtMs ?? 0;
    return new Date(expiresAtMs + this.#clockAheadMs).toISOString();
  }

  expireTokens(): void {
    for (const token of this.#tokens.values())
      token.expiresAtMs = Math.min(token.expiresAtMs, Date.now());
    this.refuseStreams('TOKEN_EXPIRED');
  }

  revokeTokens(): void {
    for (const token of this.#tokens.values()) token.isGood = false;
    this.refuseStreams('INVALID_TOKEN');
  }

  publish(topic: string): void {
    const event = this.log.append(topic);
    for (const stream of this.openStreams) stream.send(event);
  }

  /** What is published while the connection breaks: half of its frame gets through. */
  publishIntoCut(topic: string): void {
    const event = this.log.append(topic);
    for (const stream of this.openStreams) stream.cutWithin(event);
  }

  cutStreams(): void {
    for (const stream of this.openStreams) stream.cut();
  }

  refuseStreams(code: ServiceErrorCode): void {
    this.surprises.add(code);
    for (const stream of this.openStreams) stream.refuse(code);
  }

  /** @param graceMs how long its streams stay open beyond that time; `null` where they end at once */
  drainStreams(reconnectInMs: number, graceMs: number | null): void {
    for (const stream of this.openStreams) stream.drain(reconnectInMs, graceMs);
  }

  stallStreams(): void {
    for (const stream of this.openStreams) stream.stall();
  }

  announceExpiry(): void {
    for (const stream of this.openStreams) stream.announceExpiry();
  }

  /** The service is started again with an empty log. */
  loseLog(): void {
    this.cutStreams();
    this.log.renew();
  }

  /** The same, while it runs: its streams are told, and go on. */
  loseLogBehindStreams(): void {
    this.log.renew();
    this.#tellGap('unknown_epoch', this.log.oldest);
  }

  /** Another server keeps the log from now on; see `MemoryLog`. */
  replaceLogServer(lost: number | null): void {
    const lostBefore = this.log.replaceServer(lost);
    if (lostBefore !== null) this.#tellGap('lost', lostBefore);
  }

  /** What the next request meets that has no fault to meet yet. */
  receiveWith(fault: DoorFault): void {
    this.#door.push(fault);
    if (fault.kind === 'refusal') this.surprises.add(fault.code);
    if (fault.kind === 'no-content') this.surprises.add('PROTOCOL_ERROR');
  }

  heal(): void {
    this.#door.length = 0;
    this.isReachable = true;
  }

  readonly fetch: FetchLike = async (url, init) => {
    this.#watch(url);
    const stream = this.#streamFor(url, init);
    this.#streams.push(stream);
    init.signal.addEventListener('abort', () => stream.cut(), { once: true });
    try {
      const response = await this.#answer(url, init, stream);
      if (response.status !== 200) stream.cut();
      return response;
    } catch (error) {
      stream.cut();
      throw error;
    }
  };

  async #answer(
    url: string,
    { headers, signal }: FetchLikeInit,
    stream: MemoryStream,
  ): Promise<FetchLikeResponse> {
    const fault = this.#door.shift();
    if (fault?.kind === 'slow-head') await elapsed(fault.ms, signal);
    if (!this.isReachable || fault?.kind === 'network') throw new TypeError('fetch failed');
    if (fault?.kind === 'no-content') {
      return { status: 204, headers: this.#headers({}), body: null };
    }
    const code = fault?.kind === 'refusal' ? fault.code : this.#faultOf(headers, url);
    if (code !== null) {
      return this.#refusal(code, fault?.kind === 'refusal' ? fault.retryAfterSeconds : undefined);
    }
    if (fault?.kind === 'slow-start') {
      elapsed(fault.ms, signal).then(
        () => this.#begin(stream),
        () => {},
      );
    } else this.#begin(stream);
    const head = this.#headers({ 'content-type': 'text/event-stream' });
    return { status: 200, headers: head, body: stream.body };
  }

  #refusal(code: ServiceErrorCode, retryAfterSeconds?: number): FetchLikeResponse {
    const problem = problemOf(code, { requestId: 'r1' });
    const body = new MemoryBody();
    body.write(JSON.stringify(problem));
    body.end();
    const headers = this.#headers({
      'content-type': 'application/problem+json',
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    });
    return { status: problem.status ?? 500, headers, body };
  }

  #headers(fields: Readonly<Record<string, string>>): FetchLikeResponse['headers'] {
    const all = { ...fields, date: new Date(Date.now() + this.#clockAheadMs).toUTCString() };
    return { get: (name) => Object.entries(all).find(([key]) => key === name)?.[1] ?? null };
  }

  #begin(stream: MemoryStream): void {
    this.gaps += stream.begin();
  }

  #tellGap(reason: StreamGap['reason'], cursor: string): void {
    for (const stream of this.openStreams) stream.tellGap(reason, cursor);
    this.gaps++;
  }

  #faultOf(headers: FetchLikeInit['headers'], url: string): ServiceErrorCode | null {
    const token = this.#tokens.get(tokenOf(headers));
    if (token === undefined || !token.isGood) return 'INVALID_TOKEN';
    if (token.expiresAtMs <= Date.now()) return 'TOKEN_EXPIRED';
    return topicsOf(url).includes(SECRET_TOPIC) ? 'FORBIDDEN' : null;
  }

  #streamFor(url: string, { headers }: FetchLikeInit): MemoryStream {
    const token = tokenOf(headers);
    return new MemoryStream({
      log: this.log,
      topics: topicsOf(url),
      lastEventId: headers['last-event-id'] ?? null,
      expiresAtMs: this.#tokens.get(token)?.expiresAtMs ?? 0,
      expiresAt: this.expiryOf(token),
      repeatsItself: this.#repeatsItself,
    });
  }

  #watch(url: string): void {
    this.requests++;
    this.#requestsNow = Date.now() === this.#momentMs ? this.#requestsNow + 1 : 1;
    this.#momentMs = Date.now();
    if (this.#requestsNow > MAX_REQUESTS_AT_ONCE) {
      this.violations.push(`${this.#requestsNow} requests within one moment`);
      throw new TypeError('fetch failed');
    }
    if (!url.startsWith(`${this.endpoint}/`)) this.violations.push('a request to an old address');
    const others = this.openStreams;
    if (others.length > 1) this.violations.push('a third stream');
    if (others.some(({ isOpening }) => isOpening)) {
      this.violations.push('a second stream beside one that is not let in yet');
    }
  }
}

function tokenOf(headers: FetchLikeInit['headers']): string {
  return (headers['authorization'] ?? '').replace('Bearer ', '');
}

function topicsOf(url: string): readonly string[] {
  const list = new URL(url).searchParams.get(PARAMETERS.topics);
  return list === null ? [] : list.split(',');
}
