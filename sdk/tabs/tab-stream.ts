import type { Frame } from '@sluice/protocol';
import { AbortScope, untilAborted } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import type { StreamListener, StreamRequest } from '../transport/transport.js';
import type { Share } from './share.js';
import type { TabChannel } from './tab-environment.js';
import { readTabStreamMessage, streamName, type TabStreamMessage } from './tab-message.js';

/** A tab that leads and has not answered within this time is replaced: it hangs, or sleeps. */
const ANSWER_TIMEOUT_MS = 2_000;

/** One stream of this tab, fed by whichever tab leads. When the lead passes on, so does the stream, from its cursor. */
export class TabStream {
  readonly #share: Share;
  readonly #request: StreamRequest;
  readonly #listener: StreamListener;
  readonly #scope: AbortScope;
  #cursor: string | null;
  /** The channel whose frames are handed on, and the one of the next leader, until that has let the stream in. */
  #current: TabChannel | null = null;
  #next: TabChannel | null = null;
  /** What the leader of `#next` knows this stream by. */
  #name = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(share: Share, request: StreamRequest, listener: StreamListener, signal: AbortSignal) {
    this.#share = share;
    this.#request = request;
    this.#listener = listener;
    this.#scope = new AbortScope(signal);
    this.#cursor = request.lastEventId;
  }

  /** As `Transport.run`. */
  async run(): Promise<void> {
    const { signal } = this.#scope;
    try {
      this.#expectAnswer();
      await untilAborted(this.#share.present, signal);
      this.#attach();
      this.#share.add(this);
      await untilAborted(new Promise<void>(() => {}), signal);
    } finally {
      clearTimeout(this.#timer);
      this.#share.delete(this);
      detach(this.#current);
      detach(this.#next);
      this.#scope.end();
    }
  }

  /** Another tab leads from now on, or this one. */
  onLeading(): void {
    this.#attach();
    this.#expectAnswer();
  }

  fail(error: unknown): void {
    this.#scope.abort(error);
  }

  /** Asks whoever leads; again, where nobody has let the stream in yet. A leader that knows of it passes that over. */
  #attach(): void {
    const { name, tab, channel, environment } = this.#share;
    const { topics, types } = this.#request;
    if (this.#next === null) {
      this.#name = environment.newId();
      this.#next = this.#openChannel(streamName(name, this.#name));
    }
    const [stream, lastEventId] = [this.#name, this.#cursor];
    channel.postMessage({ type: 'attach', stream, tab, topics, types, lastEventId });
  }

  #openChannel(name: string): TabChannel {
    const channel = this.#share.environment.openChannel(name);
    channel.onmessage = ({ data }) => {
      const message = readTabStreamMessage(data);
      if (message !== null) this.#onMessage(channel, message);
    };
    return channel;
  }

  /** A leader that does not answer is replaced by this tab. If even this one does not, there is nothing to be had. */
  #expectAnswer(): void {
    this.#armTimer(() => {
      this.#share.takeLead();
      this.#armTimer(() =>
        this.fail(new RealtimeError('NETWORK_ERROR', { message: 'No tab has answered' })),
      );
    });
  }

  #armTimer(onSilence: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(onSilence, ANSWER_TIMEOUT_MS);
  }

  #onMessage(channel: TabChannel, message: TabStreamMessage): void {
    if (this.#scope.signal.aborted) return;
    if (channel === this.#next) clearTimeout(this.#timer);
    if (message.type === 'end') this.#onEnd(channel, message.error);
    else if (message.type === 'frame') this.#onFrame(channel, message.frame);
    else if (message.type === 'alive' && channel === this.#current && message.cursor !== null) {
      // What the leader itself has heard. Where its transport shows no heartbeats, nobody must wait for them.
      this.#listener.onActivity();
      this.#handOn({ id: message.cursor });
    }
  }

  #onFrame(channel: TabChannel, frame: Frame): void {
    const isFirst = this.#current === null;
    if (channel === this.#next) {
      detach(this.#current);
      this.#current = channel;
      this.#next = null;
      // The stream has been let in before; that it comes another way now is nobody's concern.
      if (!isFirst) return;
    }
    this.#handOn(frame);
  }

  #handOn(frame: Frame): void {
    if (frame.id !== undefined) this.#cursor = frame.id;
    try {
      this.#listener.onFrame(frame);
    } catch (error) {
      this.fail(error);
    }
  }

  #onEnd(channel: TabChannel, error: RealtimeError | null): void {
    // The leader knows already: it keeps the place until this tab comes back.
    channel.close();
    if (channel === this.#current) this.#current = null;
    else this.#next = null;
    if (error === null) {
      this.#handOn({ event: 'stream.draining', data: JSON.stringify({ reconnectInMs: 0 }) });
    }
    this.fail(error ?? new RealtimeError('NETWORK_ERROR'));
  }
}

function detach(channel: TabChannel | null): void {
  channel?.postMessage({ type: 'detach' });
  channel?.close();
}
