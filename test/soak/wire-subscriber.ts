import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { eventsPath, PARAMETERS, type RealtimeEvent, type StreamGap } from '@sluice/protocol';
import { HttpReader, type RawHead } from '../support/http-reader.js';
import { type SoakSubscriber, type Wish, Witness } from './witness.js';
import { HEARTBEAT_MS } from './world.js';

export interface WireSubscriberOptions extends Wish {
  readonly port: number;
  /** A token for its workspace, asked for with each stream. */
  readonly token: () => string;
}

/** After so long a silence a stream is given up. */
const SILENCE_MS = 6 * HEARTBEAT_MS;
const RETRY_MS = 200;

/**
 * A client over a bare socket, as plain as may be: it goes on from the last `id` and takes whatever it is sent, so what comes
 * twice at one cursor, which the SDK would pass over, is seen.
 */
export class WireSubscriber implements SoakSubscriber {
  readonly isPrompt = true;
  readonly witness: Witness;
  readonly #options: WireSubscriberOptions;
  readonly #closing = new AbortController();

  constructor(options: WireSubscriberOptions) {
    this.#options = options;
    this.witness = new Witness(options);
  }

  get name(): string {
    const { workspace, topics } = this.#options;
    return `a bare subscriber of ${workspace} (${topics.join(' ') || 'all topics'})`;
  }

  async run(): Promise<void> {
    void this.#goOn(this.#closing.signal);
  }

  close(): void {
    this.#closing.abort();
    this.witness.onAway();
  }

  async #goOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.witness.onDown();
      const waitMs = await this.#readOne(signal);
      await pause(waitMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Reads one stream to its end. Resolves with the milliseconds after which the next one is due. */
  #readOne(signal: AbortSignal): Promise<number> {
    return new Promise((resolve) => {
      const socket = connect(this.#options.port, '127.0.0.1').setNoDelay();
      const end = (waitMs = RETRY_MS) => {
        clearTimeout(silence);
        signal.removeEventListener('abort', onAbort);
        socket.destroy();
        if (!signal.aborted) this.witness.onDown();
        resolve(waitMs);
      };
      const onAbort = () => end();
      const silence = setTimeout(end, SILENCE_MS);
      signal.addEventListener('abort', onAbort);
      const decoder = new TextDecoder();
      let text = '';
      let isRefused = false;
      const reader = new HttpReader({
        onHead: (head) => {
          isRefused = head.status !== 200;
          if (isRefused) end(this.#onRefused(head));
        },
        onBody: (bytes) => {
          if (isRefused) return;
          const frames = (text + decoder.decode(bytes, { stream: true })).split('\n\n');
          text = frames.pop() ?? '';
          for (const frame of frames) this.#onFrame(frame, end);
        },
        onEnd: () => end(),
      });
      socket.on('data', (bytes) => {
        silence.refresh();
        if (!socket.destroyed) reader.feed(bytes);
      });
      socket.on('error', () => {}).on('close', () => end());
      this.#ask(socket);
    });
  }

  #ask(socket: Socket): void {
    const { port, token, workspace, topics } = this.#options;
    const query =
      topics.length === 0 ? '' : `?${PARAMETERS.topics}=${encodeURIComponent(topics.join(','))}`;
    const { cursor } = this.witness;
    const lines = [
      `GET ${eventsPath(workspace)}${query} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Accept: text/event-stream',
      `Authorization: Bearer ${token()}`,
      ...(cursor === null ? [] : [`Last-Event-ID: ${cursor}`]),
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  #onRefused({ status, headers }: RawHead): number {
    if (status < 500 && status !== 429) this.witness.faults.push(`refused with ${status}`);
    return Math.max(1_000 * Number(headers.get('retry-after')?.[0] ?? 0), RETRY_MS);
  }

  #onFrame(frame: string, end: () => void): void {
    const { witness } = this;
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1] ?? null;
    const [event, id, data] = [field('event'), field('id'), field('data')];
    const value: unknown = data === null ? null : JSON.parse(data);
    if (event === 'stream.connected') witness.onUp(id);
    else if (event === 'stream.gap') witness.onGap((value as StreamGap).from, id ?? '');
    else if (event === 'stream.draining') end();
    else if (event === null && data !== null) witness.onEvent(value as RealtimeEvent, id ?? '');
    else if (id !== null) witness.onCursor(id);
  }
}
