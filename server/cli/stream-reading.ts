import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CONTENT_TYPES, type ControlEventName } from '@sluice/protocol';
import { EventSource, type EventSourceInit } from 'eventsource';
import { describeNetworkFailure } from './network-failure.js';
import { parseStreamError, type Refusal, readRefusal } from './refusal.js';

type Fetch = NonNullable<EventSourceInit['fetch']>;

export interface StreamReading {
  readonly address: URL;
  readonly token: string;
  /** Where to go on; absent to begin with what happens now. */
  readonly cursor: string | undefined;
  readonly signal: AbortSignal;
  /** Where the events go: while it is full the stream is not read on, so that the service notices. */
  readonly output: Writable;
  onEvent(data: string): void;
  onControl(name: ControlEventName, data: Readonly<Record<string, unknown>>): void;
  onCursor(cursor: string): void;
}

/** How a stream ended: by the word of the service, by the network, or because the caller has had enough. */
export type StreamEnd =
  | { readonly refusal: Refusal }
  | { readonly lost: string }
  | { readonly stopped: true };

const NOTICES = [
  'stream.connected',
  'stream.gap',
  'stream.token_expiring',
  'stream.draining',
] as const satisfies readonly ControlEventName[];

const NOT_A_STREAM: Refusal = {
  code: 'PROTOCOL_ERROR',
  detail: 'the answer is not an event stream',
  recoverable: false,
  retryAfterMs: undefined,
};

/**
 * Reads one stream to its end. Connecting anew is the caller's: EventSource takes an HTTP 503 for final, and waits 24
 * days when it has read a terminal `retry`.
 */
export function readStream(reading: StreamReading): Promise<StreamEnd> {
  const { address, signal } = reading;
  return new Promise((resolve) => {
    let isOpen = true;
    let end: StreamEnd = { lost: 'the connection was cut' };

    const connect: Fetch = async (url, init) => {
      try {
        const answer = await fetch(url, {
          ...init,
          headers: headersOf(reading, init.headers),
          // Followed to another host, a redirect would lose the token without a word.
          redirect: 'manual',
        });
        const refusal = await refusalOf(answer);
        if (refusal === null) return paced(answer, reading.output);
        end = { refusal };
      } catch (error) {
        end = { lost: describeNetworkFailure(error, address) };
      }
      throw new Error('no stream');
    };
    const source = new EventSource(address, { fetch: connect });

    const finish = (how: StreamEnd) => {
      isOpen = false;
      source.close();
      signal.removeEventListener('abort', stop);
      resolve(how);
    };
    const stop = () => finish({ stopped: true });

    const on = (name: string, handle: (data: string) => void) =>
      source.addEventListener(name, ({ data, lastEventId }: MessageEvent) => {
        // What follows in the same chunk is dispatched even after close().
        if (!isOpen) return;
        if (lastEventId !== '') reading.onCursor(lastEventId);
        handle(data);
      });

    on('message', (data) => reading.onEvent(data));
    for (const name of NOTICES) on(name, (data) => reading.onControl(name, membersOf(data)));
    on('stream.error', (data) => finish({ refusal: parseStreamError(data) ?? NOT_A_STREAM }));
    source.addEventListener('error', () => {
      isOpen = false;
      // EventSource sets its timer to connect anew right after this event; a close() from here would come too early to
      // clear it, and the process would stay for as long as the last `retry` said.
      queueMicrotask(() => finish(end));
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}

function headersOf({ token, cursor }: StreamReading, headers: Record<string, string>) {
  return {
    ...headers,
    Authorization: `Bearer ${token}`,
    ...(cursor !== undefined && { 'Last-Event-ID': cursor }),
  };
}

/** `null` where the answer is a stream; the body of any other is read or given up. */
async function refusalOf(answer: Response): Promise<Refusal | null> {
  if (answer.status !== 200) return readRefusal(answer);
  if (answer.headers.get('content-type')?.startsWith(CONTENT_TYPES.eventStream)) return null;
  await answer.body?.cancel();
  return NOT_A_STREAM;
}

/** The answer, read no faster than `output` takes what becomes of it. */
function paced(answer: Response, output: Writable): Awaited<ReturnType<Fetch>> {
  const { status, url, redirected, headers, body } = answer;
  const getReader = () => {
    const reader = (body as NonNullable<typeof body>).getReader();
    return {
      async read() {
        if (output.writableNeedDrain) await once(output, 'drain');
        return reader.read();
      },
      cancel: () => reader.cancel(),
    };
  };
  return { status, url, redirected, headers, body: body && { getReader } };
}

function membersOf(data: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {};
  }
}
