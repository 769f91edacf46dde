import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeTransport } from '../../test/contracts/transport.contract.js';
import { cursorAt, FaultServer, status } from '../../test/support/fault-server.js';
import { runStream, TOKEN } from '../../test/support/run-stream.js';
import { type FetchLike, type FetchLikeResponse, platformFetch } from '../http/fetch-like.js';
import { FetchTransport } from './fetch-transport.js';

describeTransport('the fetch transport', {
  open: (fetch) => new FetchTransport(fetch),
  seesAnswers: true,
  cursorOf: ({ headers }) => headers['last-event-id']?.toString() ?? null,
});

describe('a run of the fetch transport', () => {
  let server: FaultServer;
  const { signal } = new AbortController();

  beforeEach(async () => {
    server = await FaultServer.start();
  });
  afterEach(() => server.close());

  it('sends the token in a header, and nothing that it was not told to', async () => {
    server.script(status(204));
    await runStream({
      transport: new FetchTransport(platformFetch),
      endpoint: server.scripted,
      signal,
      request: { lastEventId: cursorAt(4) },
    });
    const { url, headers } = await server.request(1);
    expect(url).toBe('/scripted/realtime/workspace/acme/events');
    expect(headers).toMatchObject({
      accept: 'text/event-stream',
      authorization: `Bearer ${TOKEN}`,
      'last-event-id': cursorAt(4),
    });
  });

  it.each([
    ['7', 7_000],
    ['999999', 300_000],
    ['9'.repeat(400), 300_000],
    ['soon', undefined],
  ])('reads "Retry-After: %s" as %p ms', async (value, retryAfterMs) => {
    server.script(status(503, { 'retry-after': value }));
    const transport = new FetchTransport(platformFetch);
    const { error } = await runStream({ transport, endpoint: server.scripted, signal });
    expect(error).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs });
  });

  it('goes by the status where the problem is of a code that it does not know', async () => {
    const body = '{"code":"TEAPOT","detail":"short and stout","requestId":"r9"}';
    server.script(status(503, { 'content-type': 'application/problem+json' }, body));
    const transport = new FetchTransport(platformFetch);
    const { error } = await runStream({ transport, endpoint: server.scripted, signal });
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'short and stout',
      requestId: 'r9',
    });
  });
});

describe('a fetch of the application', () => {
  const STREAM: FetchLikeResponse = {
    status: 200,
    headers: new Headers({ 'content-type': 'Text/Event-Stream;charset=UTF-8' }),
    body: null,
  };

  function run(fetch: FetchLike, signal = new AbortController().signal) {
    const transport = new FetchTransport(fetch);
    return runStream({ transport, endpoint: 'http://127.0.0.1:1', signal });
  }

  it('may answer without a body: a stream that has ended', async () => {
    expect(await run(async () => STREAM)).toMatchObject({ frames: [], error: null });
  });

  it('need not heed the signal', async () => {
    const calledOff = new AbortController();
    const reason = new Error('enough');
    const running = run(() => new Promise(() => {}), calledOff.signal);
    calledOff.abort(reason);
    expect((await running).error).toBe(reason);
  });

  it('need not heed the signal while the body is read; that is let go', async () => {
    const calledOff = new AbortController();
    const reason = new Error('enough');
    let isLetGo = false;
    const body = {
      getReader: () => ({
        read: () => {
          queueMicrotask(() => calledOff.abort(reason));
          return new Promise<never>(() => {});
        },
        cancel: async () => {
          isLetGo = true;
        },
      }),
    };
    expect((await run(async () => ({ ...STREAM, body }), calledOff.signal)).error).toBe(reason);
    expect(isLetGo).toBe(true);
  });

  it.each([
    [0, 'an opaque redirect, as browsers show one'],
    [303, 'a redirect'],
  ])('is refused status %d, %s', async (status) => {
    const { error } = await run(async () => ({ ...STREAM, status }));
    expect(error).toMatchObject({ code: 'PROTOCOL_ERROR', status: status || undefined });
  });
});
