import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { loggedLines } from '../support/logged.js';
import {
  numbered,
  type Playground,
  publish,
  startPlayground,
  WORKSPACE,
} from '../support/playground.js';
import { RawStream } from '../support/raw-http.js';
import { until } from '../support/until.js';

const ENTRY = join(import.meta.dirname, '../../server/dist/main.js');
const MARK = `eyJtYXJr${'m'.repeat(50)}`;

/** What comes back for these bytes until the service hangs up. */
function answerTo(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
      // Whoever keeps the connection has answered all the same.
      if (/keep-alive/i.test(text)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(text));
    socket.write(bytes);
  });
}

let playground: Playground;
beforeAll(async () => {
  playground = await startPlayground({ env: { LOG_LEVEL: 'info' } });
});
afterAll(async () => {
  await playground[Symbol.asyncDispose]();
});

describe('what never becomes a request', () => {
  it.each<[what: string, bytes: string, status: number | null, told: object]>([
    [
      'a method that is none',
      `GEX /?${MARK} HTTP/1.1\r\n\r\n`,
      400,
      { reason: 'HPE_INVALID_METHOD' },
    ],
    [
      'a header that is none',
      `GET / HTTP/1.1\r\nHost: a\r\n${MARK}\r\n\r\n`,
      400,
      { code: 'INVALID_REQUEST' },
    ],
    [
      'a head that is too long',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${MARK.repeat(2_000)}\r\n\r\n`,
      431,
      { reason: 'HPE_HEADER_OVERFLOW' },
    ],
    [
      'a line that is too long',
      `GET /${MARK.repeat(400)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      431,
      { method: 'GET' },
    ],
    [
      'no Host',
      `GET /?${MARK} HTTP/1.1\r\n\r\n`,
      400,
      { code: 'INVALID_REQUEST', detail: 'The Host header is missing.' },
    ],
    [
      'an expectation',
      `POST /?${MARK} HTTP/1.1\r\nHost: a\r\nExpect: ${MARK}\r\n\r\n`,
      417,
      { method: 'POST' },
    ],
    ['a tunnel', `CONNECT ${MARK} HTTP/1.1\r\nHost: a\r\n\r\n`, null, { method: 'CONNECT' }],
    [
      'what cannot be a target',
      `GET http://[::1/?${MARK} HTTP/1.1\r\nHost: a\r\n\r\n`,
      400,
      { method: 'GET' },
    ],
  ])('has its line: %s', async (_, bytes, status, told) => {
    const { service } = playground;
    const seen = service.stderr.items.length;
    const answer = await answerTo(service.port, bytes);
    expect(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? null).toBe(
      status === null ? null : `${status}`,
    );
    await until('it has its line', () => service.stderr.items.length > seen);
    const lines = loggedLines(service).slice(seen);
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        msg: 'request refused',
        requestId: expect.any(String),
        ...(status !== null && { status }),
        ...told,
      }),
    ]);
    expect(service.stderr.items.join()).not.toContain(MARK);
  });
});

describe('the end of a service', () => {
  it('is told, with how long it took and who was left', async () => {
    const { service, token } = playground;
    using stream = await RawStream.open({
      port: service.port,
      path: eventsPath(WORKSPACE),
      headers: [['Authorization', `Bearer ${token}`]],
    });
    await stream.next('stream.connected');
    expect(await service.stop('SIGTERM')).toMatchObject({ code: 0 });
    const lines = loggedLines(service);
    expect(lines.at(-1)).toMatchObject({
      msg: 'ended',
      streams: 0,
      durationMs: expect.any(Number),
    });
    const going = lines.findIndex(({ msg }) => msg === 'going down');
    expect(lines[going]).toMatchObject({ streams: 1 });
    expect(lines.slice(going)).toContainEqual(
      expect.objectContaining({ msg: 'stream ended', reason: 'This node is going down.' }),
    );
  });
});

describe('the file of the audit log', () => {
  it('is opened anew when it was moved away, and no line is lost', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-rotated-'));
    try {
      const path = join(folder, 'audit.log');
      await using playground = await startPlayground({ env: { AUDIT_LOG: path } });
      const { service, token } = playground;
      let published = 0;
      const publishSome = async (count: number) => {
        for (let n = 0; n < count; n++) {
          await publish(service.url, token, numbered(published, published));
          published++;
        }
      };
      await publishSome(5);
      for (const round of [1, 2, 3]) {
        const under = publishSome(10);
        await rename(path, `${path}.${round}`);
        process.kill(service.pid, 'SIGHUP');
        await under;
        await until('the file is there again', () =>
          readFile(path).then(
            () => true,
            () => false,
          ),
        );
      }
      await publishSome(1);
      await service.stop();
      const texts = await Promise.all(
        [1, 2, 3].map((round) => readFile(`${path}.${round}`, 'utf8')),
      );
      const last = await readFile(path, 'utf8');
      const lines = [...texts, last].join('').split('\n').slice(0, -1);
      expect(lines.map((line) => JSON.parse(line).kind)).toEqual(
        Array.from({ length: published }, () => 'decision'),
      );
      expect(texts.every((text) => text.endsWith('\n'))).toBe(true);
      expect(last.length).toBeGreaterThan(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('standard error that nobody reads', () => {
  it('holds up neither a request nor the end of the service', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-unread-'));
    const child = spawn(process.execPath, [ENTRY], {
      env: { PORT: '0', DATA_DIR: folder, DRAIN_MS: '0', AUDIT_LOG: 'stderr', LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    try {
      const port = await new Promise<number>((resolve) => {
        createInterface({ input: child.stdout }).on('line', (line) => {
          const [, found] = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
          if (found !== undefined) resolve(Number(found));
        });
      });
      // A pipe takes 64 KB.
      const requests = Array.from({ length: 600 }, () => fetch(`http://127.0.0.1:${port}/nothing`));
      const statuses = await Promise.all(requests.map(async (one) => (await one).status));
      expect(new Set(statuses)).toEqual(new Set([404]));
      const askedAt = performance.now();
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
      expect(performance.now() - askedAt).toBeLessThan(8_000);
    } finally {
      child.kill('SIGKILL');
      child.stderr.destroy();
      await exited;
      await rm(folder, { recursive: true, force: true });
    }
  }, 30_000);
});
