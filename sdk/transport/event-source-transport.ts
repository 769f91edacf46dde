import {
  CONTENT_TYPES,
  type ControlEventName,
  type Frame,
  PARAMETERS,
  streamTokensPath,
} from '@sluice/protocol';
import { openEventSource } from '#event-source';
import { untilAborted } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import type { FetchLike } from '../http/fetch-like.js';
import { parseJsonObject, readText } from '../http/response-body.js';
import { redact } from '../redact.js';
import type { OpenEventSource } from './event-source/event-source-like.js';
import { WatchedRequest } from './event-source/watched-request.js';
import { readRefusal } from './refusal.js';
import { streamAddress } from './stream-address.js';
import type { StreamListener, StreamRequest, Transport } from './transport.js';
import { TransportRun } from './transport-run.js';

export interface EventSourceTransportOptions {
  readonly fetch: FetchLike;
  /** Whether the access token itself is sent in the address, in place of a stream token. */
  readonly queryToken: boolean;
  /** Default: what `#event-source` stands for here. */
  readonly open?: OpenEventSource;
}

/** The frames that are listened for. An EventSource keeps those of any other name to itself. */
const FRAME_NAMES = {
  message: true,
  'stream.connected': true,
  'stream.gap': true,
  'stream.token_expiring': true,
  'stream.draining': true,
  'stream.error': true,
} satisfies Record<ControlEventName | 'message', true>;

/**
 * Streams over an EventSource, which can set no header: a one-time stream token travels in the address (docs/PROTOCOL.md,
 * section 3.8). It would come back by itself, with that token, which is used up by then; so it is closed at its first
 * error, and the next run opens another one.
 *
 * A browser's EventSource tells neither why it failed nor of heartbeats: refusals come as `stream.error` (section 6.4), and
 * a stream that has fallen silent stays unnoticed.
 */
export class EventSourceTransport implements Transport {
  readonly #options: EventSourceTransportOptions;
  readonly #open: OpenEventSource;

  constructor(options: EventSourceTransportOptions) {
    this.#options = options;
    this.#open = options.open ?? openEventSource;
  }

  async run(request: StreamRequest, listener: StreamListener, signal: AbortSignal): Promise<void> {
    const { lastEventId } = request;
    const run = new TransportRun(this.#options.fetch, request.token, listener, signal);
    try {
      const tokenParameter = await this.#tokenParameter(request, run);
      // Whatever fails from here on may quote the address, where a token is written otherwise.
      run.secrets.push(
        ...Object.values(tokenParameter),
        new URLSearchParams(tokenParameter).toString(),
      );
      const address = streamAddress(request, {
        ...tokenParameter,
        [PARAMETERS.errors]: 'stream',
        ...(lastEventId !== null && { [PARAMETERS.lastEventId]: lastEventId }),
      });
      await this.#follow(address, run);
    } catch (error) {
      throw run.reasonOf(error);
    } finally {
      run.end();
    }
  }

  async #tokenParameter(
    { endpoint, workspace, token }: StreamRequest,
    run: TransportRun,
  ): Promise<Record<string, string>> {
    if (this.#options.queryToken) return { [PARAMETERS.accessToken]: token };
    const response = await run.ask('POST', endpoint + streamTokensPath(workspace), {
      accept: CONTENT_TYPES.json,
      authorization: `Bearer ${token}`,
    });
    if (response.status !== 201) throw await readRefusal(response, run.signal, run.secrets);
    const text = await readText(response, run.signal);
    if (text === '') {
      throw new RealtimeError('NETWORK_ERROR', { message: 'The stream token did not arrive' });
    }
    const streamToken = parseJsonObject(text)?.['streamToken'];
    if (typeof streamToken !== 'string' || streamToken === '') {
      throw new RealtimeError('PROTOCOL_ERROR', {
        message: 'The service answered without a usable "streamToken"',
        status: response.status,
      });
    }
    return { [PARAMETERS.streamToken]: streamToken };
  }

  /** Reads the stream at `address` until this run is over. */
  async #follow(address: string, run: TransportRun): Promise<never> {
    const { origin } = new URL(address);
    const watched = new WatchedRequest(run);
    const source = this.#open(address, () => watched.ask(address));
    for (const name of Object.keys(FRAME_NAMES)) {
      source.addEventListener(name, (event) => {
        const message = event as MessageEvent<string>;
        if (message.origin === origin) run.onFrame(frameOf(message, run));
        else run.fail(redirected());
      });
    }
    source.addEventListener('error', (event) => {
      // A frame may have that name, too. It is none of ours.
      if (!('data' in event)) run.fail(new RealtimeError('NETWORK_ERROR'));
    });
    try {
      return await untilAborted(new Promise<never>(() => {}), run.signal);
    } finally {
      source.close();
    }
  }
}

function frameOf({ type, data, lastEventId }: MessageEvent<string>, run: TransportRun): Frame {
  return {
    ...(lastEventId !== '' && { id: lastEventId }),
    ...(type !== 'message' && { event: type }),
    data: type === 'stream.error' ? redactJson(data, run.secrets) : data,
  };
}

/** A service may repeat what it was asked with, and there is more than one way to write that in JSON. */
function redactJson(text: string, secrets: readonly string[]): string {
  return JSON.stringify(parseJsonObject(text), (_, value) =>
    typeof value === 'string' ? redact(value, secrets) : value,
  );
}

/** A browser follows redirects before anybody can say no. The address that it was sent to decides what it gets to see. */
function redirected(): RealtimeError {
  return new RealtimeError('PROTOCOL_ERROR', {
    message: 'The stream was redirected to another origin, and is not read',
  });
}
