import type { Frame } from '@sluice/protocol';
import { AbortScope, untilAborted } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import type { FetchLike, FetchLikeInit, FetchLikeResponse } from '../http/fetch-like.js';
import { redactedCause } from '../redact.js';
import { isEventStream, readRefusal } from './refusal.js';
import type { StreamListener } from './transport.js';

/** One run of a transport: its requests, what the listener hears, and the one error that it ends with. */
export class TransportRun {
  readonly #fetch: FetchLike;
  readonly #listener: StreamListener;
  readonly #scope: AbortScope;
  /** Aborts when this run is over, with the error that it ends with. */
  readonly signal: AbortSignal;
  /** What no error may hold. Whoever learns another secret adds it. */
  readonly secrets: string[];

  /** @throws the reason of `signal` if that has aborted already. */
  constructor(fetch: FetchLike, token: string, listener: StreamListener, signal: AbortSignal) {
    signal.throwIfAborted();
    this.#fetch = fetch;
    this.#listener = listener;
    this.#scope = new AbortScope(signal);
    this.signal = this.#scope.signal;
    this.secrets = [token];
  }

  /** The head of the answer, whatever its status. A redirect is not followed: it would carry the token elsewhere. */
  async ask(
    method: FetchLikeInit['method'],
    url: string,
    headers: Record<string, string>,
  ): Promise<FetchLikeResponse> {
    const { signal } = this;
    const answer = this.#fetch(url, {
      method,
      headers,
      signal,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'manual',
    });
    const response = await untilAborted(answer, signal);
    const serverTimeMs = Date.parse(response.headers.get('date') ?? '');
    if (serverTimeMs > 0) this.#listener.onServerTime(serverTimeMs);
    return response;
  }

  /** As `ask`, for a stream; only a stream is an answer then. */
  async askForStream(url: string, headers: Record<string, string>): Promise<FetchLikeResponse> {
    const response = await this.ask('GET', url, headers);
    if (!isEventStream(response)) throw await readRefusal(response, this.signal, this.secrets);
    this.#listener.onActivity();
    return response;
  }

  onActivity(): void {
    this.#listener.onActivity();
  }

  /** Hands a frame on, unless this run is over: the listener itself may end it. */
  onFrame(frame: Frame): void {
    if (this.signal.aborted) return;
    try {
      this.#listener.onFrame(frame);
    } catch (error) {
      this.#scope.abort(error);
    }
  }

  /** Ends this run. */
  fail(error: unknown): void {
    this.#scope.abort(this.reasonOf(error));
  }

  /** What this run ends with, now that `error` has happened. */
  reasonOf(error: unknown): unknown {
    if (this.signal.aborted) return this.signal.reason;
    if (error instanceof RealtimeError) return error;
    return new RealtimeError('NETWORK_ERROR', { cause: redactedCause(error, this.secrets) });
  }

  /** Leaves nothing behind. */
  end(): void {
    this.#scope.end();
  }
}
