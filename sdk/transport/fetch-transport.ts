import { EVENT_STREAM_TYPE } from '@sluice/protocol';
import type { FetchLike } from '../http/fetch-like.js';
import { readChunks } from '../http/response-body.js';
import { FrameReader } from './frame-reader.js';
import { streamAddress } from './stream-address.js';
import type { StreamListener, StreamRequest, Transport } from './transport.js';
import { TransportRun } from './transport-run.js';

/** Streams over `fetch`, with the token in the Authorization header, where no log of addresses sees it. */
export class FetchTransport implements Transport {
  readonly #fetch: FetchLike;

  constructor(fetch: FetchLike) {
    this.#fetch = fetch;
  }

  async run(request: StreamRequest, listener: StreamListener, signal: AbortSignal): Promise<void> {
    const { token, lastEventId } = request;
    const run = new TransportRun(this.#fetch, token, listener, signal);
    try {
      const { body } = await run.askForStream(streamAddress(request), {
        accept: EVENT_STREAM_TYPE,
        authorization: `Bearer ${token}`,
        ...(lastEventId !== null && { 'last-event-id': lastEventId }),
      });
      if (body === null) return;
      // Streaming: a character may be cut in two by a chunk.
      const decoder = new TextDecoder();
      const reader = new FrameReader();
      for await (const chunk of readChunks(body, run.signal)) {
        run.onActivity();
        const text = decoder.decode(chunk, { stream: true });
        for (const frame of reader.feed(text)) run.onFrame(frame);
      }
    } catch (error) {
      throw run.reasonOf(error);
    } finally {
      run.end();
    }
  }
}
