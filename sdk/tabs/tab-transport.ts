import type { RealtimeClient } from '../client.js';
import type { StreamListener, StreamRequest, Transport } from '../transport/transport.js';
import { Share } from './share.js';
import { tabEnvironment } from './tab-environment.js';
import { shareName } from './tab-message.js';
import { TabStream } from './tab-stream.js';

/** Makes a client for this endpoint that does not share; see `CreateClient`. */
export type CreateOwnClient = (
  endpoint: string,
  onActivity: (cursor: string | null) => void,
) => RealtimeClient;

/**
 * Streams from the one stream that the tabs of an origin share. Its client has a stand-in for a token; any other token of
 * a request is one that the application has set.
 */
export class TabTransport implements Transport {
  readonly #standIn: string;
  readonly #createClient: CreateOwnClient;
  readonly #key: string | undefined;
  #share: Share | null = null;
  #token: string | null = null;

  /**
   * @param standIn the token of requests for which no token was set
   * @param key tabs with another one do not share
   */
  constructor(standIn: string, createClient: CreateOwnClient, key: string | undefined) {
    this.#standIn = standIn;
    this.#createClient = createClient;
    this.#key = key;
  }

  async run(request: StreamRequest, listener: StreamListener, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const share = this.#shareOf(request);
    if (request.token !== this.#standIn && request.token !== this.#token) {
      this.#token = request.token;
      share.setToken(request.token);
    }
    await new TabStream(share, request, listener, signal).run();
  }

  /** Leaves the lead to another tab. */
  rest(): void {
    this.#share?.close();
    this.#share = null;
  }

  #shareOf({ endpoint, workspace }: StreamRequest): Share {
    const name = shareName(endpoint, workspace, this.#key);
    if (this.#share?.name !== name) {
      this.rest();
      const createClient = this.#createClient.bind(null, endpoint);
      this.#share = new Share(name, tabEnvironment(), createClient, this.#token);
    }
    return this.#share;
  }
}
