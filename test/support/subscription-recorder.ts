import type {
  EventContext,
  RealtimeError,
  RealtimeEvent,
  StreamConnected,
  StreamGap,
  SubscribeOptions,
} from '@sluice/sdk';

/** Takes down what a subscription is told, and lets a test wait for it. */
export class SubscriptionRecorder implements SubscribeOptions {
  readonly events: RealtimeEvent[] = [];
  readonly cursors: string[] = [];
  readonly errors: RealtimeError[] = [];
  readonly connected: StreamConnected[] = [];
  readonly gaps: StreamGap[] = [];
  readonly disconnected: boolean[] = [];
  #wake: () => void = () => {};

  readonly onEvent = (event: RealtimeEvent, { cursor }: EventContext): void => {
    this.events.push(event);
    this.cursors.push(cursor);
    this.#wake();
  };

  readonly onError = (error: RealtimeError): void => {
    this.errors.push(error);
    this.#wake();
  };

  readonly onConnected = (connected: StreamConnected): void => {
    this.connected.push(connected);
    this.#wake();
  };

  readonly onDisconnected = ({ willReconnect }: { willReconnect: boolean }): void => {
    this.disconnected.push(willReconnect);
    this.#wake();
  };

  readonly onGap = (gap: StreamGap): void => {
    this.gaps.push(gap);
    this.#wake();
  };

  /** The data of the events, in the order in which they came. */
  get data(): unknown[] {
    return this.events.map((event) => event.data);
  }

  /** Resolves once `condition` holds; looked at after each callback. */
  async until(condition: (recorder: this) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
