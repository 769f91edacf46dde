import type { Frame } from '@sluice/protocol';
import type { RealtimeClient } from '../client.js';
import type { RealtimeError } from '../errors.js';
import type { Subscription } from '../subscription/subscribe-options.js';
import type { TabChannel } from './tab-environment.js';
import {
  type Attach,
  readTabStreamMessage,
  type TabStreamMessage,
  writeEnd,
} from './tab-message.js';

/** The place of one stream of a tab at the leader: a subscription of the leader's client, told on as frames. */
export class Seat {
  readonly tab: string;
  readonly #client: RealtimeClient;
  readonly #channel: TabChannel;
  readonly #onClosed: () => void;
  readonly #subscription: Subscription;
  #isConnected = false;
  #isOver = false;
  #error: RealtimeError | null = null;

  /** @param onClosed called when the tab does not want the stream any more, or cannot have it */
  constructor(
    client: RealtimeClient,
    channel: TabChannel,
    { tab, topics, types, lastEventId }: Attach,
    onClosed: () => void,
  ) {
    this.tab = tab;
    this.#client = client;
    this.#channel = channel;
    this.#onClosed = onClosed;
    channel.onmessage = ({ data }) => {
      if (readTabStreamMessage(data)?.type === 'detach') this.close();
    };
    this.onActivity(null);
    this.#subscription = client.subscribe({
      ...(topics.length > 0 && { topics }),
      ...(types.length > 0 && { types }),
      ...(lastEventId !== null && { lastEventId }),
      onConnected: (connected, { cursor }) => {
        this.#isConnected = true;
        this.#sendFrame('stream.connected', connected, cursor);
      },
      onGap: (gap, { cursor }) => this.#sendFrame('stream.gap', gap, cursor),
      onEvent: (event, { cursor }) => this.#sendFrame(undefined, event, cursor),
      onError: (error) => this.#onError(error),
      onDisconnected: ({ willReconnect }) => {
        // Else the lead passes on.
        if (willReconnect) this.#onDisconnected();
      },
    });
  }

  /**
   * Whether its stream has ended. The subscription stays until the tab comes back, so that the leader's client goes on
   * towards the next stream at its own pace meanwhile.
   */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Something came in for the leader, whose stream has come to `cursor`. */
  onActivity(cursor: string | null): void {
    this.#send({ type: 'alive', cursor: this.#isConnected ? cursor : null });
  }

  close(): void {
    this.#isOver = true;
    this.#subscription.unsubscribe();
    this.#channel.close();
    this.#onClosed();
  }

  #onDisconnected(): void {
    this.#isConnected = false;
    this.#error = null;
    // The error that explains it is told after this.
    queueMicrotask(() => this.#end(this.#error));
  }

  #onError(error: RealtimeError): void {
    // What this client can have no more, another tab may have, with its own token: the lead passes on.
    if (this.#client.state === 'failed') return;
    this.#error = error;
    if (!this.#isConnected) this.#end(error);
  }

  #end(error: RealtimeError | null): void {
    if (this.#isOver) return;
    // Another token is had here, and the tab knows of none: for it, the stream is only to be opened anew.
    const isRenewal = error?.willRetry && error.isCode('TOKEN_EXPIRED', 'INVALID_TOKEN');
    this.#channel.postMessage(writeEnd(isRenewal ? null : error));
    this.#isOver = true;
    if (error?.willRetry === false) this.close();
  }

  #sendFrame(event: string | undefined, data: unknown, id: string | null): void {
    const frame: Frame = {
      ...(id !== null && { id }),
      ...(event !== undefined && { event }),
      data: JSON.stringify(data),
    };
    this.#send({ type: 'frame', frame });
  }

  #send(message: TabStreamMessage): void {
    if (!this.#isOver) this.#channel.postMessage(message);
  }
}
