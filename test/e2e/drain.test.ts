import { connect, type Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { Inbox } from '../support/inbox.js';
import { openStream, startNodes } from '../support/nodes.js';
import { firstBreak, numbered, publish, WORKSPACE } from '../support/playground.js';
import type { RawStream } from '../support/raw-http.js';
import type { RedisServer } from '../support/redis-server.js';
import type { Service } from '../support/service.js';
import { eventsOf, numbersOf, untilSeen } from '../support/stream-records.js';
import { describeWith } from '../support/tools.js';

const STREAMS = 50;
const DRAIN_MS = 900;
/** Beyond its own time a stream lives as long as the window, where that is short; and until the next look. */
const LOOK_MS = 250;
const FOR_EVER = { DRAIN_MS: '600000', OPS_PORT: '0' };

/** What a stream was told, and how long it lived behind that. */
interface Departure {
  readonly stream: RawStream;
  readonly reconnectInMs: number;
  readonly livedMs: number;
}

async function departureOf(stream: RawStream): Promise<Departure> {
  const { data } = await stream.next('stream.draining', 20_000);
  const toldAt = performance.now();
  await stream.ended;
  const { reconnectInMs } = data as { reconnectInMs: number };
  return { stream, reconnectInMs, livedMs: performance.now() - toldAt };
}

async function readinessOf(opsUrl: string): Promise<unknown> {
  const response = await fetch(`${opsUrl}/readyz`);
  return { code: response.status, ...((await response.json()) as object) };
}

const READY = { code: 200, status: 'ready' };
const DRAINING = { code: 503, status: 'not ready', missing: ['draining'] };

describeWith('redis-server', 'a node among others that is told to end', () => {
  it('has its streams move, each at its own time, and loses nothing of what is published meanwhile', async () => {
    const env = { DRAIN_MS: String(DRAIN_MS), OPS_PORT: '0' };
    await using nodes = await startNodes({ env });
    const { first, second, issuer } = nodes;
    const token = issuer.mint();
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => openStream(first.service, token)),
    );
    const [early] = await publish(second.service.url, token, numbered(1, 1));
    await Promise.all(streams.map((stream) => untilSeen(stream, early?.cursor)));
    expect(await readinessOf(first.service.opsUrl)).toEqual(READY);
    const { opsUrl } = first.service;

    let hasEnded = false;
    const departures = Promise.all(streams.map(departureOf));
    const exit = first.service.stop('SIGTERM').finally(() => {
      hasEnded = true;
    });
    await streams[0]?.received.find(
      (item) => item.kind === 'event' && item.event === 'stream.draining',
    );
    expect(await readinessOf(opsUrl)).toEqual(DRAINING);
    expect((await fetch(`${opsUrl}/healthz`)).status).toBe(200);
    await expect(openStream(first.service, token)).rejects.toThrow(/ECONNREFUSED/);

    let last = 1;
    while (!hasEnded) {
      last++;
      await publish(second.service.url, token, numbered(last, last));
    }
    expect(await exit).toEqual({ code: 0, signal: null });

    const told = await departures;
    expectSpread(told.map(({ reconnectInMs }) => reconnectInMs));
    for (const { stream, reconnectInMs, livedMs } of told) {
      expect(livedMs).toBeGreaterThan(reconnectInMs + DRAIN_MS - LOOK_MS);
      expect(stream.received.items.at(-1)).toMatchObject({ event: 'stream.error' });
      expect(firstBreak(numbersOf(stream), 1)).toBeNull();
      expect(await numbersBehind(stream, second.service, token, last)).toEqual([]);
    }
    // They lived on: the last to go has seen most of what was published meanwhile.
    expect(Math.max(...streams.map((stream) => numbersOf(stream).length))).toBeGreaterThan(
      last / 2,
    );
  }, 40_000);
});

/** What a stream lacks after all when it goes on at another node: the numbers that break the row up to `last`. */
async function numbersBehind(
  stream: RawStream,
  node: { readonly port: number },
  token: string,
  last: number,
): Promise<number[]> {
  const seen = eventsOf(stream);
  const cursor = seen.at(-1)?.cursor ?? '';
  if (seen.length === last) return [];
  using next = await openStream(node, token, { lastEventId: cursor });
  await next.received.find(() => numbersOf(next).at(-1) === last);
  const all = [...seen.map(({ n }) => n), ...numbersOf(next)];
  return all.filter((n, index) => n !== index + 1);
}

function expectSpread(delays: readonly number[]): void {
  expect(delays.every((delay) => delay >= 0 && delay < DRAIN_MS)).toBe(true);
  for (const third of [0, 1, 2]) {
    const within = delays.filter((delay) => Math.floor((3 * delay) / DRAIN_MS) === third);
    // Of 50, about 17; fewer than 4 come once in a million runs.
    expect(within.length).toBeGreaterThanOrEqual(4);
  }
}

describeWith('redis-server', 'a node that is told to end', () => {
  it('ends as soon as the last client has moved', async () => {
    await using node = await startNode(FOR_EVER);
    const { service, token } = node;
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => openStream(service, token)),
    );
    expect(await readinessOf(service.opsUrl)).toEqual(READY);
    const exit = service.stop('SIGTERM');
    await Promise.all(streams.map((stream) => stream.next('stream.draining')));
    expect(await readinessOf(service.opsUrl)).toEqual(DRAINING);
    expect((await fetch(`${service.opsUrl}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${service.opsUrl}/metrics`)).text()).toMatch(/^sluice_ready 0$/m);
    for (const stream of streams) stream[Symbol.dispose]();
    expect(await exit).toEqual({ code: 0, signal: null });
  }, 30_000);

  it('does not wait for a client that reads nothing', async () => {
    await using node = await startNode({ DRAIN_MS: '300', MAX_BACKLOG_BYTES: '100000000' });
    const { service, token } = node;
    using stream = await openStream(service, token);
    await stream.next('stream.connected');
    stream.pause();
    for (let round = 0; round < 8; round++) await publish(service.url, token, largeEvents());
    expect(await service.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  }, 30_000);

  it('answers a publish that is under way, and ends its connection', async () => {
    await using node = await startNode(FOR_EVER);
    const { service, token } = node;
    using stream = await openStream(service, token);
    await stream.next('stream.connected');
    const body = JSON.stringify(numbered(1, 1));
    using publisher = await begin(node, [
      `POST ${eventsPath(WORKSPACE)} HTTP/1.1`,
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      '',
      body.slice(0, 10),
    ]);
    const exit = service.stop('SIGTERM');
    await stream.next('stream.draining');
    publisher.write(body.slice(10));
    const answer = await publisher.answer();
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(answer).toMatch(/^Connection: close\r$/m);
    // It stands in the stream too, which goes on until its client has gone.
    expect(await stream.next('message')).toMatchObject({ data: { data: { n: 1 } } });
    stream[Symbol.dispose]();
    expect(await exit).toEqual({ code: 0, signal: null });
  }, 30_000);

  it('refuses a subscription on a connection that is open still', async () => {
    await using node = await startNode(FOR_EVER);
    const { service, token } = node;
    using stream = await openStream(service, token);
    await stream.next('stream.connected');
    using late = await begin(node, [`GET ${eventsPath(WORKSPACE)} HTTP/1.1`]);
    const exit = service.stop('SIGTERM');
    await stream.next('stream.draining');
    late.write(`Authorization: Bearer ${token}\r\n\r\n`);
    const answer = await late.answer();
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toMatch(/^Retry-After: \d+\r$/m);
    expect(answer).toMatch(/^Connection: close\r$/m);
    expect(answer).toContain('"code":"UNAVAILABLE"');
    stream[Symbol.dispose]();
    expect(await exit).toEqual({ code: 0, signal: null });
  }, 30_000);

  it('ends though Redis stands still', async () => {
    await using node = await startNode({ DRAIN_MS: '100' });
    using stream = await openStream(node.service, node.token);
    await stream.next('stream.connected');
    node.redis.pause();
    const exit = node.service.stop('SIGTERM');
    expect(await stream.ended).toBe('end');
    expect((await exit).signal).toBeNull();
  }, 30_000);

  it('ends at once when it is told twice', async () => {
    await using node = await startNode(FOR_EVER);
    const { service, token } = node;
    using stream = await openStream(service, token);
    await stream.next('stream.connected');
    const exit = service.stop('SIGTERM');
    expect(await stream.next('stream.draining')).toBeDefined();
    process.kill(service.pid, 'SIGINT');
    expect(await exit).toEqual({ code: 1, signal: null });
    expect(await stream.ended).toBe('end');
  }, 30_000);
});

interface OneNode extends AsyncDisposable {
  readonly service: Service;
  readonly token: string;
  readonly redis: RedisServer;
}

async function startNode(env: Record<string, string>): Promise<OneNode> {
  const nodes = await startNodes({ count: 1, env });
  return {
    service: nodes.first.service,
    token: nodes.issuer.mint(),
    redis: nodes.redis,
    [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose](),
  };
}

/** More than the buffers of a socket take. */
function largeEvents(): object[] {
  const data = 'x'.repeat(50_000);
  return Array.from({ length: 16 }, () => ({ topic: 'orders', type: 'order.created', data }));
}

/** A request whose end is still to come. */
interface BegunRequest extends Disposable {
  write(text: string): void;
  /** All that came until the service ended the connection. */
  answer(): Promise<string>;
}

/** @param lines of the head, or all of it and the beginning of the body behind an empty one */
async function begin({ service }: OneNode, lines: readonly string[]): Promise<BegunRequest> {
  const socket: Socket = connect(service.port, '127.0.0.1').setNoDelay();
  const pieces = new Inbox<string>('a piece of the answer');
  socket.on('data', (bytes) => pieces.push(bytes.toString()));
  const ended = new Promise<void>((resolve, reject) => {
    socket.once('end', resolve).once('error', reject);
  });
  ended.catch(() => {});
  const [requestLine, ...rest] = lines;
  socket.write([requestLine, `Host: 127.0.0.1:${service.port}`, ...rest].join('\r\n'));
  if (!lines.includes('')) socket.write('\r\n');
  // An answer to a whole request says that the service has read what was written before by this time.
  await fetch(service.url);
  return {
    write: (text) => socket.write(text),
    answer: async () => {
      await ended;
      return pieces.items.join('');
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}
