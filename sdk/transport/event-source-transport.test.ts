import { inspect } from 'node:util';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { SERVICE_ERRORS, type ServiceErrorCode } from '@sluice/protocol';
import { EventSource } from 'eventsource';
import { describeTransport } from '../../test/contracts/transport.contract.js';
import {
  cursorAt,
  FAULTS,
  FaultServer,
  frames,
  parametersOf,
  redirect,
  refusal,
  status,
  stream,
  streamTokenAnswer,
} from '../../test/support/fault-server.js';
import { type RunOptions, runStream, TOKEN } from '../../test/support/run-stream.js';
import { StaticToken } from '../auth/static-token.js';
import { TokenManager } from '../auth/token-manager.js';
import { DEFAULT_BACKOFF } from '../connection/backoff.js';
import { Retry } from '../connection/retry.js';
import { Stream } from '../connection/stream.js';
import { type FetchLike, platformFetch } from '../http/fetch-like.js';
import { SubscriptionSet } from '../subscription/subscription-set.js';
import { openEventSource as openNative } from './event-source/native.js';
import {
  EventSourceTransport,
  type EventSourceTransportOptions,
} from './event-source-transport.js';

describeTransport('the EventSource transport in Node', {
  open: (fetch) => new EventSourceTransport({ fetch, queryToken: false }),
  seesAnswers: true,
  cursorOf: (request) => parametersOf(request).get('last_event_id'),
});

describe('with an EventSource of the platform, which shows no more than a browser', () => {
  // Node has none before version 22; that of the package, left to itself, stands in for it.
  const before = Object.getOwnPropertyDescriptor(globalThis, 'EventSource');
  beforeAll(() => {
    Object.defineProperty(globalThis, 'EventSource', { value: EventSource, configurable: true });
  });
  afterAll(() => {
    Reflect.deleteProperty(globalThis, 'EventSource');
    if (before !== undefined) Object.defineProperty(globalThis, 'EventSource', before);
  });

  describeTransport('the EventSource transport', {
    open: (fetch) => new EventSourceTransport({ fetch, queryToken: false, open: openNative }),
    seesAnswers: false,
    cursorOf: (request) => parametersOf(request).get('last_event_id'),
  });
});

describe('the token of an EventSource', () => {
  let server: FaultServer;
  let calledOff: AbortController;

  beforeEach(async () => {
    server = await FaultServer.start();
    calledOff = new AbortController();
  });
  afterEach(async () => {
    calledOff.abort();
    await server.close();
  });

  function run(
    options: Partial<EventSourceTransportOptions> = {},
    { onFrame }: Pick<RunOptions, 'onFrame'> = {},
  ) {
    return runStream({
      transport: new EventSourceTransport({
        fetch: platformFetch,
        queryToken: false,
        ...options,
      }),
      endpoint: server.scripted,
      signal: calledOff.signal,
      ...(onFrame !== undefined && { onFrame }),
    });
  }

  it('is exchanged for another stream token for each stream', async () => {
    const cut = stream(frames.connected(0), frames.error('UNAVAILABLE'));
    server.script(cut, cut);
    await run();
    await run();
    expect(server.requests.map((request) => parametersOf(request).get('stream_token'))).toEqual([
      'one-time-1',
      'one-time-2',
    ]);
    const { method, url, headers, body } = await server.exchange(2);
    expect(method).toBe('POST');
    expect(url).toBe('/scripted/realtime/workspace/acme/stream-tokens');
    expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(body).toBe('');
  });

  it('stays out of the request for the stream, which asks for errors in the stream', async () => {
    server.script(FAULTS.stall);
    await run({}, { onFrame: () => calledOff.abort() });
    const request = await server.request(1);
    expect(JSON.stringify(request)).not.toContain(TOKEN);
    expect(Object.fromEntries(parametersOf(request))).toEqual({
      stream_token: 'one-time-1',
      errors: 'stream',
    });
  });

  it('is sent itself, without an exchange, where that is wanted', async () => {
    server.script(refusal('INVALID_TOKEN', 401));
    const { error } = await run({ queryToken: true });
    expect(error).toMatchObject({ code: 'INVALID_TOKEN', status: 401, requestId: 'r1' });
    expect(server.exchanges).toEqual([]);
    expect(Object.fromEntries(parametersOf(await server.request(1)))).toEqual({
      access_token: TOKEN,
      errors: 'stream',
    });
  });

  const codes = Object.entries(SERVICE_ERRORS) as [
    ServiceErrorCode,
    (typeof SERVICE_ERRORS)[ServiceErrorCode],
  ][];
  it.each(codes.filter(([, { status: httpStatus }]) => httpStatus !== null))(
    'may be refused an exchange with %s',
    async (code, { status: httpStatus, recoverable }) => {
      server.scriptExchange(refusal(code, httpStatus ?? 0, 1_500));
      const { error } = await run();
      expect(error).toMatchObject({
        code,
        status: httpStatus,
        recoverable,
        requestId: 'r1',
        retryAfterMs: 1_500,
      });
      expect(server.requests).toEqual([]);
    },
  );

  it.each([
    ['no JSON', status(201, {}, '<p>')],
    ['no token', status(201, { 'content-type': 'application/json' }, '{}')],
    ['an empty token', streamTokenAnswer('')],
    ['another status', status(200, { 'content-type': 'application/json' }, '{"streamToken":"x"}')],
    ['no content', status(204)],
  ])('takes %s for no stream token', async (_, answer) => {
    server.scriptExchange(answer);
    expect((await run()).error).toMatchObject({ code: 'PROTOCOL_ERROR', recoverable: false });
    expect(server.requests).toEqual([]);
  });

  it('is asked for again where the stream token was cut on its way', async () => {
    server.scriptExchange((response) => {
      response.writeHead(201, { 'content-type': 'application/json' });
      response.write('{"streamToken":"one-', () => response.socket?.end());
    });
    expect((await run()).error).toMatchObject({ code: 'NETWORK_ERROR', recoverable: true });
    expect(server.requests).toEqual([]);
  });

  it('follows no redirect of the exchange', async () => {
    const elsewhere = await FaultServer.start();
    try {
      server.scriptExchange(redirect(`${elsewhere.origin}/stream-tokens`, 307));
      expect((await run()).error).toMatchObject({ code: 'PROTOCOL_ERROR' });
      expect([...elsewhere.exchanges, ...elsewhere.requests]).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('is called off in the middle of the exchange', async () => {
    server.scriptExchange(FAULTS['slow-head']);
    const reason = new Error('enough');
    const running = run();
    const { over } = await server.exchange(1);
    calledOff.abort(reason);
    expect((await running).error).toBe(reason);
    await over;
    expect(server.requests).toEqual([]);
  });

  it('is in no error, and neither is the stream token', async () => {
    const streamToken = 'one-time-secret';
    server.scriptExchange(streamTokenAnswer(streamToken), streamTokenAnswer(streamToken));
    const told = { code: 'INVALID_TOKEN', detail: `what are ${TOKEN} and ${streamToken}?` };
    server.script(
      stream(frames.control('stream.error', told)),
      status(401, { 'content-type': 'application/problem+json' }, JSON.stringify(told)),
    );
    for (const { error } of [await run(), await run()]) {
      expect(error).toMatchObject({
        code: 'INVALID_TOKEN',
        message: 'what are [redacted] and [redacted]?',
      });
      const shown = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
      expect(shown).not.toContain(TOKEN);
      expect(shown).not.toContain(streamToken);
    }
  });

  it('is in no error, however the service writes it', async () => {
    server.scriptExchange(streamTokenAnswer('a/one-time'));
    const told = String.raw`{"code":"INVALID_TOKEN","detail":"\u0061\/one-time","requestId":"\u0073${TOKEN.slice(1)}"}`;
    server.script(stream(`event: stream.error\ndata: ${told}\n\n`));
    expect((await run()).error).toMatchObject({
      code: 'INVALID_TOKEN',
      message: '[redacted]',
      requestId: '[redacted]',
    });
  });

  it.each([
    [false, 'one+time/secret='],
    [true, TOKEN],
  ])('is in no error that quotes the address (sent itself: %p)', async (queryToken, secret) => {
    server.scriptExchange(streamTokenAnswer(secret));
    const leaky: FetchLike = (url, init) => {
      if (init.method === 'POST') return platformFetch(url, init);
      throw new TypeError(`could not connect to ${url}`);
    };
    const { error } = await run({ fetch: leaky, queryToken });
    expect(error).toMatchObject({ code: 'NETWORK_ERROR' });
    const shown = inspect(error, { depth: 9, showHidden: true });
    expect(shown).toContain('could not connect');
    expect(shown).not.toMatch(/secret/);
  });

  it('is of no use once the stream is open: its end opens nothing', async () => {
    server.script(status(200, { 'content-type': 'text/event-stream' }, frames.connected(0)));
    const { frames: seen, error } = await run();
    expect(seen.at(-1)?.id).toBe(cursorAt(0));
    expect(error).toMatchObject({ code: 'NETWORK_ERROR' });
    expect(server.exchanges).toHaveLength(1);
  });
});

describe('a stream over an EventSource that shows no heartbeats', () => {
  it('is not taken for dead because it is quiet', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    const server = await FaultServer.start();
    const calledOff = new AbortController();
    const nothing = (): void => {};
    try {
      let running: Promise<unknown> = Promise.resolve();
      await new Promise<void>((onConnected) => {
        const open = (url: string) => new EventSource(url);
        const stream = new Stream(
          {
            endpoint: () => server.endpoint('stall'),
            workspace: 'acme',
            transport: new EventSourceTransport({ fetch: platformFetch, queryToken: false, open }),
            tokens: new TokenManager(new StaticToken(TOKEN), nothing),
            subscriptions: new SubscriptionSet(nothing),
            retry: new Retry(DEFAULT_BACKOFF, 1),
            heartbeatTimeoutMs: 1_000,
          },
          { value: TOKEN },
          { subscribers: [], topics: [], types: [], lastEventId: null },
          calledOff.signal,
          { onLetIn: () => onConnected(), onDue: nothing },
        );
        running = stream.run();
      });
      jest.advanceTimersByTime(3_600_000);
      const reason = new Error('enough');
      calledOff.abort(reason);
      await expect(running).rejects.toBe(reason);
    } finally {
      jest.useRealTimers();
      await server.close();
    }
  });
});
