import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { rawRequest } from '../../test/support/raw-http.js';
import { openTestService, type TestService } from '../../test/support/test-service.js';
import { until } from '../../test/support/until.js';
import { OpsServer } from './ops-server.js';

/** As many connections as there may be at once. */
const MOST = 100;

let service: TestService;
let ops: OpsServer;
let sockets: Socket[];
beforeAll(async () => {
  service = await openTestService();
  ops = await OpsServer.open(service.service.vitals, { host: '127.0.0.1', port: 0 });
  ops.enter('serving');
});
beforeEach(() => {
  sockets = [];
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
});
afterAll(async () => {
  ops.close();
  await service[Symbol.asyncDispose]();
});

const ask = (path: string, method = 'GET') =>
  rawRequest({ port: ops.port, method, path, headers: [['Connection', 'close']] });

/** A connection that has sent this, and what came of it. */
async function connection(text: string): Promise<{ socket: Socket; answer: () => string }> {
  const socket = connect(ops.port, '127.0.0.1');
  sockets.push(socket);
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes.toString('latin1');
  });
  // What was cut is told by its end.
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  socket.write(text);
  return { socket, answer: () => answer };
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) =>
    socket.closed ? resolve() : socket.once('close', () => resolve()),
  );

describe('the port for operators', () => {
  it('answers scrapes that come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask('/metrics')));
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(body).toMatch(/^sluice_ready 1$/m);
      expect(body.endsWith('\n')).toBe(true);
    }
  });

  it('tells of all else where the log does not answer', async () => {
    const { vitals } = service.service;
    const silent = { isAvailable: true, stats: () => new Promise<never>(() => {}) };
    const settings = { host: '127.0.0.1', port: 0 };
    const other = await OpsServer.open({ ...vitals, eventLog: silent }, settings);
    try {
      const { status, body } = await rawRequest({ port: other.port, path: '/metrics' });
      expect(status).toBe(200);
      expect(body).toMatch(/^sluice_streams 0$/m);
      expect(body).not.toMatch(/^sluice_log_bytes/m);
    } finally {
      other.close();
    }
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('takes no %s', async (method) => {
    expect((await ask('/metrics', method)).status).toBe(405);
  });

  it('reads no body that comes with what it refuses', async () => {
    const { socket, answer } = await connection(
      'POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nx',
    );
    await closed(socket);
    expect(answer()).toMatch(/^HTTP\/1\.1 405 /);
    expect(answer()).toMatch(/^Connection: close\r$/m);
  });

  it.each([
    ['an address without end', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
    ['a header without end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['what is no request', '\u0016\u0003\u0001\u0002\u0000\r\n\r\n', 400],
    ['no host', 'GET /metrics HTTP/1.1\r\n\r\n', 400],
  ])('refuses %s, and goes on', async (_, text, status) => {
    const { socket, answer } = await connection(text);
    await closed(socket);
    expect(answer()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect((await ask('/healthz')).status).toBe(200);
  });

  it.each(['/metrics/', '//metrics', '/METRICS', '/metrics%00', '/../metrics', '/'])(
    'has nothing at %s',
    async (path) => {
      expect((await ask(path)).status).toBe(404);
    },
  );

  it('answers where those who hold all its connections ask nothing', async () => {
    const asked = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
    const held = await Promise.all(Array.from({ length: MOST }, () => connection(asked)));
    await until('all were answered', () => held.every(({ answer }) => answer().includes('alive')));
    // The first that finds no room is turned away; it makes the room for those behind it.
    const found = await until('there is room', () => ask('/metrics').catch(() => null));
    expect(found.status).toBe(200);
  });

  it('lets go of those who send half a request', async () => {
    const begun = performance.now();
    const half = 'GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: ';
    const held = await Promise.all(Array.from({ length: MOST }, () => connection(half)));
    await expect(ask('/healthz')).rejects.toThrow();
    await Promise.all(held.map(({ socket }) => closed(socket)));
    expect(performance.now() - begun).toBeLessThan(8_000);
    expect(held[0]?.answer()).toMatch(/^HTTP\/1\.1 408 /);
    expect((await ask('/metrics')).status).toBe(200);
  }, 20_000);
});
