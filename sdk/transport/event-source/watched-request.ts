import { EVENT_STREAM_TYPE } from '@sluice/protocol';
import type { FetchLikeBody, FetchLikeResponse } from '../../http/fetch-like.js';
import { readChunks } from '../../http/response-body.js';
import { frameTooLong, MAX_FRAME_LENGTH } from '../frame-reader.js';
import type { TransportRun } from '../transport-run.js';

/** The request of an EventSource that lets others make it: sees what an EventSource hides, and bounds what it does not. */
export class WatchedRequest {
  readonly #run: TransportRun;
  #bytesSinceFrame = 0;

  constructor(run: TransportRun) {
    this.#run = run;
  }

  async ask(address: string): Promise<FetchLikeResponse> {
    return this.#watch(async () => {
      const { status, headers, body } = await this.#run.askForStream(address, {
        accept: EVENT_STREAM_TYPE,
      });
      return { status, headers, body: body && this.#watched(body) };
    });
  }

  /** The EventSource has found a frame in what it was given. */
  onFrame(): void {
    this.#bytesSinceFrame = 0;
  }

  #watched(body: FetchLikeBody): FetchLikeBody {
    const chunks = readChunks(body, this.#run.signal);
    const read = async () => {
      const chunk = await chunks.next();
      if (chunk.done) return { done: true } as const;
      this.#run.onActivity();
      this.#count(chunk.value);
      return { done: false, value: chunk.value } as const;
    };
    return {
      getReader: () => ({
        read: () => this.#watch(read),
        cancel: async () => void (await chunks.return(undefined)),
      }),
    };
  }

  #count({ byteLength }: Uint8Array): void {
    this.#bytesSinceFrame += byteLength;
    if (this.#bytesSinceFrame > MAX_FRAME_LENGTH) throw frameTooLong(MAX_FRAME_LENGTH);
  }

  async #watch<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // Before the EventSource hears of it, whose own word says less.
      this.#run.fail(error);
      throw error;
    }
  }
}
