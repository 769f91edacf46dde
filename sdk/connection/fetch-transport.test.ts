import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Frame } from '@sluice/protocol';
import {
  cursorAt,
  FAULTS,
  FaultServer,
  frames,
  refusal,
  status,
  stream,
} from '../../test/support/fault-server.js';
import { RealtimeError } from '../errors.js';
import { type FetchLike, platformFetch } from '../fetch-like.js';
import { FetchTransport } from './fetch-transport.js';

const TOKEN = 'secret-token.with.parts';

describe('the fetch transport', () => {
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

  /** Runs one stream to its end, and tells what came and how it ended. */
  async function run({
    url = server.scripted,
    fetch = platformFetch,
    headTimeoutMs = 15_000,
    request = {},
    onFrame = (_: Frame): void => {},
  } = {}): Promise<{ frames: Frame[]; error: unknown; activities: number }> {
    const seen: Frame[] = [];
    let activities = 0;
    let error: unknown = null;
    await new FetchTransport({ url, fetch, headTimeoutMs })
      .run(
        { token: TOKEN, topics: [], types: [], lastEventId: null, ...request },
        {
          onActivity: () => activities++,
          onFrame: (frame) => {
            seen.push(frame);
            onFrame(frame);
          },
        },
        calledOff.signal,
      )
      .catch((reason: unknown) => {
        error = reason;
      });
    return { frames: seen, error, activities };
  }

  it('asks with the token in a header, the cursor, and what is subscribed to', async () => {
    server.script(status(204));
    await run({
      request: { topics: ['orders.*', 'a&b'], types: ['x'], lastEventId: cursorAt(4) },
    });
    const { method, url, headers } = await server.request(1);
    expect(method).toBe('GET');
    expect(url).toBe('/scripted?topics=orders.*%2Ca%26b&types=x');
    expect(headers).toMatchObject({
      accept: 'text/event-stream',
      authorization: `Bearer ${TOKEN}`,
      'last-event-id': cursorAt(4),
    });
  });

  it.each([
    ['MISSING_TOKEN', 401, false],
    ['TOKEN_EXPIRED', 401, true],
    ['INVALID_TOKEN', 401, false],
    ['WORKSPACE_MISMATCH', 403, false],
    ['FORBIDDEN', 403, false],
    ['AUTH_ERROR', 503, true],
    ['INVALID_REQUEST', 400, false],
    ['RATE_LIMIT_EXCEEDED', 429, true],
    ['INTERNAL_ERROR', 500, true],
  ] as const)(
    'reads the refusal %s out of its problem body',
    async (code, httpStatus, recoverable) => {
      server.script(refusal(code, httpStatus, 1_500));
      const { error } = await run();
      expect(error).toMatchObject({
        code,
        status: httpStatus,
        recoverable,
        willRetry: false,
        requestId: 'r1',
        retryAfterMs: 1_500,
      });
    },
  );

  it.each([
    [204, 'PROTOCOL_ERROR'],
    [301, 'PROTOCOL_ERROR'],
    [400, 'INVALID_REQUEST'],
    [401, 'INVALID_TOKEN'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [418, 'PROTOCOL_ERROR'],
    [429, 'RATE_LIMIT_EXCEEDED'],
    [500, 'UNAVAILABLE'],
    [502, 'UNAVAILABLE'],
  ])('makes of a bare status %d the code %s', async (httpStatus, code) => {
    server.script(status(httpStatus, { 'content-type': 'text/html' }));
    expect((await run()).error).toMatchObject({ code, status: httpStatus });
  });

  it('goes by the status where the problem is of a code that it does not know', async () => {
    const body = '{"code":"TEAPOT","detail":"short and stout","requestId":"r9"}';
    server.script(status(503, { 'content-type': 'application/problem+json' }, body));
    expect((await run()).error).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'short and stout',
      requestId: 'r9',
    });
  });

  it.each([
    ['7', 7_000],
    ['999999', 300_000],
    ['soon', undefined],
  ])('reads "Retry-After: %s" as %p ms', async (value, retryAfterMs) => {
    server.script(status(503, { 'retry-after': value }));
    expect((await run()).error).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs });
  });

  it('reads no events out of a 200 of another type, nor out of a 401 that looks like a stream', async () => {
    expect(await run({ url: server.endpoint('wrong-type') })).toMatchObject({
      error: { code: 'PROTOCOL_ERROR' },
      frames: [],
    });
    expect(await run({ url: server.endpoint('unauthorized-stream') })).toMatchObject({
      error: { code: 'INVALID_TOKEN' },
      frames: [],
    });
  });

  it('follows no redirect, so that the token goes nowhere else', async () => {
    const elsewhere = await FaultServer.start();
    try {
      server.script(status(307, { location: elsewhere.endpoint('stall') }));
      expect((await run()).error).toMatchObject({ code: 'PROTOCOL_ERROR', recoverable: false });
      expect(elsewhere.requests).toHaveLength(0);
    } finally {
      await elsewhere.close();
    }
  });

  it('does not wait for a refusal without end', async () => {
    const { error } = await run({ url: server.endpoint('endless-refusal') });
    expect(error).toMatchObject({ code: 'FORBIDDEN', status: 403 });
    await (await server.request(1)).over;
    // Less than the deadline of a body: it is its size that ends this one.
  }, 4_000);

  it('reads a stream that trickles in byte by byte', async () => {
    const { frames: seen } = await run({
      url: server.endpoint('trickle'),
      onFrame: (frame) => {
        if (frame.id === cursorAt(1)) calledOff.abort();
      },
    });
    expect(seen.map(({ id }) => id)).toEqual([undefined, cursorAt(0), cursorAt(1)]);
    expect(seen[2]?.data).toContain('"€ in pieces"');
  });

  it.each(['cut-frame', 'cut-character'] as const)('keeps back what was cut: %s', async (fault) => {
    const { frames: seen, error } = await run({ url: server.endpoint(fault) });
    expect(seen.at(-1)?.id).toBe(cursorAt(1));
    expect(error).toMatchObject({ code: 'NETWORK_ERROR', recoverable: true });
  });

  it('refuses a frame that grows beyond every bound, and hangs up', async () => {
    const { error } = await run({ url: server.endpoint('endless-frame') });
    expect(error).toMatchObject({ code: 'PROTOCOL_ERROR', recoverable: false });
    await (await server.request(1)).over;
  });

  it('gives up on a head that does not come, and hangs up', async () => {
    const { error } = await run({ url: server.endpoint('slow-head'), headTimeoutMs: 30 });
    expect(error).toMatchObject({ code: 'NETWORK_ERROR', recoverable: true });
    await (await server.request(1)).over;
  });

  it('tells of every sign of life, be it the head or a comment', async () => {
    server.script(FAULTS.stall);
    const stalled = await run({ onFrame: () => calledOff.abort() });
    expect(stalled.activities).toBeGreaterThanOrEqual(2);
  });

  it('ends at once with the reason of the abort, also where fetch does not heed it', async () => {
    const reason = new Error('enough');
    const deaf: FetchLike = () => new Promise(() => {});
    const running = run({ fetch: deaf });
    calledOff.abort(reason);
    expect((await running).error).toBe(reason);
  });

  it('hands on no frame behind the one at which the listener called it off', async () => {
    server.script(stream(frames.connected(0), frames.event(1), frames.event(2), frames.event(3)));
    const { frames: seen } = await run({
      onFrame: (frame) => {
        if (frame.id === cursorAt(1)) calledOff.abort();
      },
    });
    expect(seen.at(-1)?.id).toBe(cursorAt(1));
  });

  it('shows the token in no error, whatever fetch and service say', async () => {
    const leaky: FetchLike = () => {
      const cause = Object.assign(new Error(`header "Bearer ${TOKEN}" refused`), {
        code: 'EHEADER',
      });
      throw Object.assign(new TypeError('fetch failed', { cause }), { config: { token: TOKEN } });
    };
    const problem = JSON.stringify({ code: 'INVALID_TOKEN', detail: `what is ${TOKEN}?` });
    server.script(status(401, { 'content-type': 'application/problem+json' }, problem));
    const errors = [(await run({ fetch: leaky })).error, (await run()).error];
    expect(errors).toMatchObject([
      { code: 'NETWORK_ERROR', cause: { cause: { code: 'EHEADER' } } },
      { code: 'INVALID_TOKEN', message: 'what is [redacted]?' },
    ]);
    for (const error of errors) {
      expect(RealtimeError.isRealtimeError(error)).toBe(true);
      const shown = [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error)].join();
      expect(shown).not.toContain(TOKEN);
    }
  });

  it('reports a closed port as NETWORK_ERROR with the cause', async () => {
    const url = server.origin;
    await server.close();
    const { error } = await run({ url });
    expect(error).toMatchObject({
      code: 'NETWORK_ERROR',
      cause: { cause: { code: 'ECONNREFUSED' } },
    });
    server = await FaultServer.start();
  });
});
