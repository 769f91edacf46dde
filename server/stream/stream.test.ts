import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Inbox } from '../../test/support/inbox.js';
import { RawStream } from '../../test/support/raw-http.js';
import { listen } from '../../test/support/test-service.js';
import { createFilter } from '../hub/filter.js';
import type { Start } from '../hub/start.js';
import { type Opening, openStream } from './open-stream.js';
import type { Stream, StreamEnd } from './stream.js';

const EPOCH = '01JD3Z8Q';
const TERMINAL_RETRY = { kind: 'retry', ms: 2_147_483_647 };
const START: Start = { epoch: EPOCH, offset: 7, resumed: 'fresh', gap: null };
const OPENING: Opening = {
  workspace: 'acme',
  subject: 'alice',
  issuer: 'https://issuer.test',
  tokenHash: null,
  expiresAt: 4_102_444_800,
  filter: createFilter({ topics: null, types: null, permitted: null }),
  requestId: 'request-1',
  admission: { release() {} },
  retryMs: 1_000,
  trace: null,
};

interface Options {
  readonly start?: Start;
  /** Does something to the request before the stream is opened, and something else behind that. */
  readonly around?: (request: IncomingMessage, response: ServerResponse) => () => void;
}

/** One open stream and its client. */
async function openOne({ start = START, around = () => () => {} }: Options = {}) {
  const opened = new Inbox<Stream>('an open stream');
  const ends = new Inbox<StreamEnd>('the end of a stream');
  const sockets: Socket[] = [];
  const open: RequestListener = (request, response) => {
    sockets.push(request.socket);
    const behind = around(request, response);
    const stream = openStream(request, response, OPENING, start, (_, end) => ends.push(end));
    behind();
    if (stream !== null) opened.push(stream);
  };
  // Not within the parser's call, as no stream is opened: the gate lies between.
  const server = await listen((...call) => setImmediate(open, ...call));
  const client = await RawStream.open({ port: server.port, path: '/' });
  return {
    client,
    stream: await opened.next(),
    socket: sockets[0] as Socket,
    ends,
    /** Resolves when no connection is left, and says how often `onClose` was called. */
    async settled(): Promise<number> {
      await new Promise((resolve) => server.server.close(resolve));
      return ends.items.length;
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const frame = (n: number, padding = 0) =>
  Buffer.from(
    `id: ${EPOCH}-${n}\ndata: ${JSON.stringify({ n, padding: 'x'.repeat(padding) })}\n\n`,
  );

/** Fills what lies between a stream and its client, who does not read. */
function fill({ stream, client }: { stream: Stream; client: RawStream }): void {
  client.pause();
  for (let n = 0; n < 20; n++) stream.write(frame(n, 1_000_000));
}

/** A response whose runtime lacks what taking over needs, while the stream is opened. */
const unknownRuntime: Options['around'] = (request) => {
  const { parser } = request.socket as Socket & { parser: object };
  Object.defineProperty(parser, 'unconsume', { value: undefined, configurable: true });
  return () => {
    Reflect.deleteProperty(parser, 'unconsume');
  };
};

describe('an open stream', () => {
  it('begins with its head and the first frame', async () => {
    await using one = await openOne();
    const { status, headers } = await one.client.head;
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': ['text/event-stream'],
      'cache-control': ['private, no-store, no-transform'],
      'x-accel-buffering': ['no'],
      'referrer-policy': ['no-referrer'],
      connection: ['close'],
      vary: ['Origin'],
    });
    expect(headers.has('transfer-encoding')).toBe(false);
    expect(await one.client.next()).toEqual({
      event: 'stream.connected',
      id: `${EPOCH}-7`,
      data: {
        connectionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        workspace: 'acme',
        subject: 'alice',
        expiresAt: '2100-01-01T00:00:00.000Z',
        resumed: 'fresh',
      },
    });
    const [retry] = one.client.received.items;
    expect(retry?.kind === 'retry' && retry.ms >= 500 && retry.ms <= 1_500).toBe(true);
  });

  it.each([
    ['expired', 3, 3],
    ['unknown_epoch', 3, 3],
    ['ahead', 7, 7],
  ] as const)('tells of a gap that is %s, and goes on behind it', async (reason, oldest, id) => {
    const gap = { from: 'ZZZZZZZZ-1', epoch: EPOCH, resumesAt: id, oldest, reason };
    const start: Start = { epoch: EPOCH, offset: id, resumed: 'gap', gap };
    await using one = await openOne({ start });
    expect(await one.client.next()).toMatchObject({ data: { resumed: 'gap' } });
    expect(await one.client.next()).toEqual({
      event: 'stream.gap',
      id: `${EPOCH}-${id}`,
      data: { from: 'ZZZZZZZZ-1', oldest: `${EPOCH}-${oldest}`, reason },
    });
  });

  it('brings frames as they are, and counts their bytes', async () => {
    await using one = await openOne();
    const frames = Buffer.concat([frame(8), frame(9)]);
    one.stream.write(frames);
    expect(await one.client.next('message')).toMatchObject({ id: `${EPOCH}-8`, data: { n: 8 } });
    expect(await one.client.next('message')).toMatchObject({ id: `${EPOCH}-9`, data: { n: 9 } });
    one.client[Symbol.dispose]();
    const { bytes } = await one.ends.next();
    // The first frame counts too.
    expect(bytes).toBeGreaterThan(frames.length);
    expect(bytes).toBeLessThan(frames.length + 1_000);
  });

  it('is let go of once when its client leaves', async () => {
    await using one = await openOne();
    one.client[Symbol.dispose]();
    const end = await one.ends.next();
    expect(end).toMatchObject({ code: null });
    expect(end.openedAt).toBeLessThanOrEqual(Date.now());
    expect(one.stream.isClosed).toBe(true);
    expect(one.socket.destroyed).toBe(true);
    one.stream.write(frame(8));
    one.stream.end('FORBIDDEN');
    await one.stream.drained();
    expect(await one.settled()).toBe(1);
  });

  it('is let go of once when its client leaves in the middle of a lot', async () => {
    await using one = await openOne();
    fill(one);
    const drained = one.stream.drained();
    one.client[Symbol.dispose]();
    await drained;
    await one.ends.next();
    expect(await one.settled()).toBe(1);
  });

  it('says when its client does not take what is written, and when it does again', async () => {
    await using one = await openOne();
    expect(one.stream.blockedSince).toBe(0);
    await one.stream.drained();
    fill(one);
    expect(one.stream.blockedSince).toBeGreaterThan(0);
    expect(one.stream.waitingBytes).toBeGreaterThan(1_000_000);
    let isDrained = false;
    const all = Promise.all(Array.from({ length: 50 }, () => one.stream.drained())).then(() => {
      isDrained = true;
    });
    await new Promise(setImmediate);
    expect(isDrained).toBe(false);
    one.client.resume();
    await all;
    expect(one.stream.blockedSince).toBe(0);
    expect(one.stream.waitingBytes).toBe(0);
  });

  it('keeps as many listeners as it began with', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    try {
      await using one = await openOne();
      const count = () =>
        one.socket.eventNames().map((name) => [String(name), one.socket.listenerCount(name)]);
      const before = count();
      for (let round = 0; round < 11; round++) {
        fill(one);
        const waiting = Promise.all([one.stream.drained(), one.stream.drained()]);
        one.client.resume();
        await waiting;
      }
      expect(count()).toEqual(before);
      expect(before.every(([, listeners]) => Number(listeners) <= 2)).toBe(true);
      await new Promise(setImmediate);
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', warned);
    }
  });
});

describe('the end of a stream', () => {
  it.each([
    ['FORBIDDEN', true],
    ['INVALID_TOKEN', true],
    ['TOKEN_EXPIRED', true],
    ['SLOW_CONSUMER', false],
    ['UNAVAILABLE', false],
    ['INTERNAL_ERROR', false],
  ] as const)(
    'by %s is told, once; it tells a client to stay away: %s',
    async (code, isTerminal) => {
      await using one = await openOne();
      one.stream.end(code, 'In words.');
      one.stream.end('INTERNAL_ERROR');
      one.stream.write(frame(8));
      const error = await one.client.next('stream.error');
      expect(error.data).toMatchObject({ code, detail: 'In words.', requestId: 'request-1' });
      expect(await one.client.ended).toBe('end');
      expect(one.client.received.items.filter(({ kind }) => kind === 'event')).toHaveLength(2);
      expect(one.client.received.items.some(({ kind }) => kind === 'retry')).toBe(true);
      expect(one.client.received.items.at(-1)).toMatchObject({ event: 'stream.error' });
      const retries = one.client.received.items.filter(({ kind }) => kind === 'retry');
      expect(
        retries.some((retry) => JSON.stringify(retry) === JSON.stringify(TERMINAL_RETRY)),
      ).toBe(isTerminal);
      expect(await one.ends.next()).toMatchObject({ code });
      expect(await one.settled()).toBe(1);
    },
  );

  it('is not draining, which asks the client to move while the stream goes on', async () => {
    await using one = await openOne();
    const { isClosed } = one.stream;
    one.stream.drain(1_234);
    expect(await one.client.next('stream.draining')).toMatchObject({
      data: { reconnectInMs: 1_234 },
    });
    expect(one.stream.isClosed).toBe(isClosed);
    one.stream.end('UNAVAILABLE');
    one.stream.drain(1);
    expect(await one.client.next('stream.error')).toMatchObject({ data: { code: 'UNAVAILABLE' } });
    expect(await one.client.ended).toBe('end');
    const told = one.client.received.items.filter(
      (item) => 'event' in item && item.event === 'stream.draining',
    );
    expect(told).toHaveLength(1);
    expect(one.client.received.items).not.toContainEqual({ kind: 'retry', ms: 1_234 });
    expect(one.client.received.items).not.toContainEqual(TERMINAL_RETRY);
  });

  it('is told to an EventSource too where it comes right behind', async () => {
    await using one = await openOne();
    one.stream.drain(1_234, 1_234);
    expect(await one.client.next('stream.draining')).toMatchObject({
      data: { reconnectInMs: 1_234 },
    });
    expect(one.client.received.items).toContainEqual({ kind: 'retry', ms: 1_234 });
  });

  it('comes within its grace, though the client reads nothing', async () => {
    await using one = await openOne();
    fill(one);
    const startedAt = performance.now();
    one.stream.end('FORBIDDEN');
    expect(one.stream.isClosed).toBe(true);
    expect(await one.ends.next()).toMatchObject({ code: 'FORBIDDEN' });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(one.socket.destroyed).toBe(true);
    expect(await one.settled()).toBe(1);
  });

  it('is told to a slow client behind all that was written before', async () => {
    await using one = await openOne();
    fill(one);
    one.stream.end('SLOW_CONSUMER');
    one.client.resume();
    expect(await one.client.next('stream.error')).toMatchObject({
      data: { code: 'SLOW_CONSUMER' },
    });
    expect(one.client.received.items.filter(({ kind }) => kind === 'event')).toHaveLength(22);
    expect(await one.client.ended).toBe('end');
  });

  it('lets go of whoever waits for the stream to drain', async () => {
    await using one = await openOne();
    fill(one);
    const drained = one.stream.drained();
    one.stream.end('FORBIDDEN');
    await drained;
    await one.stream.drained();
    expect(one.stream.isClosed).toBe(true);
  });
});

describe('a stream over a response that was not taken over', () => {
  it('brings the same', async () => {
    await using one = await openOne({ around: unknownRuntime });
    expect((await one.client.head).headers.has('transfer-encoding')).toBe(false);
    expect(await one.client.next()).toMatchObject({ event: 'stream.connected' });
    for (let n = 8; n < 20; n++) one.stream.write(frame(n));
    for (let n = 8; n < 20; n++) expect(await one.client.next()).toMatchObject({ data: { n } });
    one.stream.end('TOKEN_EXPIRED');
    expect(await one.client.next()).toMatchObject({ event: 'stream.error' });
    expect(await one.client.ended).toBe('end');
    expect(await one.ends.next()).toMatchObject({ code: 'TOKEN_EXPIRED' });
    expect(await one.settled()).toBe(1);
  });

  it('waits for its client', async () => {
    await using one = await openOne({ around: unknownRuntime });
    fill(one);
    expect(one.stream.blockedSince).toBeGreaterThan(0);
    one.client.resume();
    await one.stream.drained();
    expect(one.stream.blockedSince).toBe(0);
  });

  it('is let go of once when its client leaves', async () => {
    await using one = await openOne({ around: unknownRuntime });
    one.client[Symbol.dispose]();
    expect(await one.ends.next()).toMatchObject({ code: null });
    expect(await one.settled()).toBe(1);
  });

  it('ends within its grace, though the client reads nothing', async () => {
    await using one = await openOne({ around: unknownRuntime });
    fill(one);
    one.stream.end('FORBIDDEN');
    expect(await one.ends.next()).toMatchObject({ code: 'FORBIDDEN' });
    expect(await one.settled()).toBe(1);
  });
});

describe('a stream whose client has gone before it could begin', () => {
  it('is none', async () => {
    const outcomes = new Inbox<Stream | null>('an outcome');
    await using server = await listen((request, response) => {
      request.socket.destroy();
      outcomes.push(openStream(request, response, OPENING, START, () => {}));
    });
    await expect(RawStream.open({ port: server.port, path: '/' })).rejects.toThrow();
    expect(await outcomes.next()).toBeNull();
  });
});
