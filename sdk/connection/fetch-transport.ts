import { CONTENT_TYPES, PARAMETERS } from '@sluice/protocol';
import { AbortScope, untilAborted } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import type { FetchLike, FetchLikeBody, FetchLikeResponse } from '../fetch-like.js';
import { redactedCause } from '../redact.js';
import { readChunks } from '../response-body.js';
import { FrameReader, FrameTooLongError } from './frame-reader.js';
import { isEventStream, readRefusal } from './refusal.js';
import type { StreamListener, StreamRequest, Transport } from './transport.js';

/** Longest frame, in characters: far above any event, far below what would hurt. */
const MAX_FRAME_LENGTH = 4 * 1024 * 1024;
const DEFAULT_HEAD_TIMEOUT_MS = 15_000;

export interface FetchTransportOptions {
  /** Where the events of the workspace are subscribed to, without a query. */
  readonly url: string;
  readonly fetch: FetchLike;
  /** Milliseconds within which the head of the answer must have come. Default: 15,000. */
  readonly headTimeoutMs?: number;
}

/** Streams over `fetch`, with the token in the Authorization header, where no log of addresses sees it. */
export class FetchTransport implements Transport {
  readonly #url: string;
  readonly #fetch: FetchLike;
  readonly #headTimeoutMs: number;

  constructor({ url, fetch, headTimeoutMs = DEFAULT_HEAD_TIMEOUT_MS }: FetchTransportOptions) {
    this.#url = url;
    this.#fetch = fetch;
    this.#headTimeoutMs = headTimeoutMs;
  }

  async run(request: StreamRequest, listener: StreamListener, signal: AbortSignal): Promise<void> {
    const scope = new AbortScope(signal);
    const secrets = [request.token];
    try {
      const response = await this.#head(request, scope);
      if (!isEventStream(response)) throw await readRefusal(response, scope.signal, secrets);
      listener.onActivity();
      if (response.body !== null) await readFrames(response.body, listener, scope.signal);
    } catch (error) {
      if (scope.signal.aborted) throw scope.signal.reason;
      if (error instanceof RealtimeError) throw error;
      if (error instanceof FrameTooLongError) {
        throw new RealtimeError('PROTOCOL_ERROR', { message: error.message });
      }
      throw new RealtimeError('NETWORK_ERROR', { cause: redactedCause(error, secrets) });
    } finally {
      scope.end();
    }
  }

  async #head(request: StreamRequest, scope: AbortScope): Promise<FetchLikeResponse> {
    const disarm = scope.abortAfter(
      this.#headTimeoutMs,
      () =>
        new RealtimeError('NETWORK_ERROR', {
          message: `The service did not answer within ${this.#headTimeoutMs} ms`,
        }),
    );
    const answer = this.#fetch(addressOf(this.#url, request), {
      method: 'GET',
      headers: {
        accept: CONTENT_TYPES.eventStream,
        authorization: `Bearer ${request.token}`,
        ...(request.lastEventId !== null && { 'last-event-id': request.lastEventId }),
      },
      signal: scope.signal,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'manual',
    });
    const response = await untilAborted(answer, scope.signal);
    disarm();
    return response;
  }
}

function addressOf(url: string, { topics, types }: StreamRequest): string {
  const query = new URLSearchParams();
  if (topics.length > 0) query.set(PARAMETERS.topics, topics.join(','));
  if (types.length > 0) query.set(PARAMETERS.types, types.join(','));
  const search = query.toString();
  return search === '' ? url : `${url}?${search}`;
}

async function readFrames(
  body: FetchLikeBody,
  listener: StreamListener,
  signal: AbortSignal,
): Promise<void> {
  // Streaming: a character may be cut in two by a chunk.
  const decoder = new TextDecoder();
  const reader = new FrameReader(MAX_FRAME_LENGTH);
  for await (const chunk of readChunks(body, signal)) {
    listener.onActivity();
    for (const frame of reader.feed(decoder.decode(chunk, { stream: true }))) {
      listener.onFrame(frame);
      // A listener may end the stream in the middle of a chunk; the frames behind it are no longer wanted.
      signal.throwIfAborted();
    }
  }
}
