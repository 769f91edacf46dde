import { EVENT_STREAM_TYPE } from '@sluice/protocol';
import type { FetchLikeBody, FetchLikeResponse } from '../../http/fetch-like.js';
import { readChunks } from '../../http/response-body.js';
import { frameTooLong, MAX_FRAME_LENGTH } from '../frame-reader.js';
import type { TransportRun } from '../transport-run.js';

const CR = 0x0d;
const LF = 0x0a;

/** The request of an EventSource that lets others make it: sees what an EventSource hides, and bounds what it does not. */
export class WatchedRequest {
  readonly #run: TransportRun;
  /** Bytes since the last blank line, which ends whatever the EventSource still keeps. */
  #frameLength = 0;
  #isLineEmpty = true;
  #endedInCr = false;

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

  #count(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const isSecondOfCrLf = byte === LF && this.#endedInCr;
      this.#endedInCr = byte === CR;
      if (isSecondOfCrLf) continue;
      const isLineBreak = byte === LF || byte === CR;
      this.#frameLength = isLineBreak && this.#isLineEmpty ? 0 : this.#frameLength + 1;
      this.#isLineEmpty = isLineBreak;
      if (this.#frameLength > MAX_FRAME_LENGTH) throw frameTooLong(MAX_FRAME_LENGTH);
    }
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
