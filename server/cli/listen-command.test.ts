import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { encodeFrame, type Frame, problemOf, TERMINAL_RETRY_MS } from '@sluice/protocol';
import { run } from './run.js';

type Play = (request: IncomingMessage, response: ServerResponse) => void;

let service: Server;
let url: string;
let requests: IncomingMessage[];
/** What the service does, one for each connection; the last one is repeated. */
let plays: Play[];

beforeEach(async () => {
  requests = [];
  plays = [];
  service = createServer((request, response) => {
    requests.push(request);
    (plays[requests.length - 1] ?? plays.at(-1))?.(request, response);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  // Full jitter over nothing: what is tried again is tried at once.
  jest.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(async () => {
  jest.restoreAllMocks();
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

function listen(args: readonly string[] = [], { env = {}, stdout = new PassThrough() } = {}) {
  const stderr = new PassThrough();
  const stop = new AbortController();
  const ended = run(['listen', '--workspace', 'acme', ...args], {
    env: { SLUICE_URL: url, SLUICE_TOKEN: 'the-token', ...env },
    stdin: Readable.from([]),
    stdout,
    stderr,
    signal: stop.signal,
  }).then(async (code) => {
    stdout.end();
    stderr.end();
    return { code, stdout: await text(stdout), stderr: await text(stderr) };
  });
  return { ended, stop, stdout };
}

/** Writes frames to a stream that is opened where it is not open yet. */
function send(response: ServerResponse, ...frames: Frame[]): void {
  if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write(frames.map(encodeFrame).join(''));
}

const event = (offset: number): Frame => ({ id: `ABCDEFGH-${offset}`, data: `{"n":${offset}}` });
const connected = (offset: number, resumed = 'fresh'): Frame => ({
  id: `ABCDEFGH-${offset}`,
  event: 'stream.connected',
  data: JSON.stringify({ workspace: 'acme', subject: 'alice', expiresAt: 'noon', resumed }),
});
const streamError = (code: 'FORBIDDEN' | 'TOKEN_EXPIRED' | 'SLOW_CONSUMER'): Frame => ({
  event: 'stream.error',
  retry: TERMINAL_RETRY_MS,
  data: JSON.stringify(problemOf(code, { requestId: 'r', detail: `because of ${code}` })),
});
const refuse =
  (status: number, body: unknown, headers: Record<string, string> = {}): Play =>
  (_, response) =>
    response.writeHead(status, headers).end(JSON.stringify(body));

describe('sluice listen', () => {
  it('prints events alone on stdout, one a line, and ends after --count', async () => {
    plays = [(_, response) => send(response, connected(0), event(1), event(2), event(3))];
    const { code, stdout, stderr } = await listen(['--count', '2']).ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '{"n":1}\n{"n":2}\n' });
    expect(stderr).toBe('sluice: connected to acme as alice until noon (fresh)\n');
  });

  it('asks for what it was told to, with the token in the header', async () => {
    plays = [(_, response) => send(response, event(8))];
    const more = ['--topics', 'orders,user.*', '--types', 'a', '--from', 'ABCDEFGH-7'];
    await listen([...more, '--count', '1']).ended;
    const [request] = requests;
    const address = new URL(request?.url ?? '', url);
    expect(address.pathname).toBe('/realtime/workspace/acme/events');
    expect(Object.fromEntries(address.searchParams)).toEqual({
      topics: 'orders,user.*',
      types: 'a',
    });
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer the-token',
      'last-event-id': 'ABCDEFGH-7',
    });
  });

  it('goes on where it was after its connection was cut', async () => {
    plays = [
      (_, response) => {
        send(response, connected(0), event(1));
        response.write('id: ABCDEFGH-2\ndata: {"n":', () => response.destroy());
      },
      (_, response) => send(response, connected(1, 'complete'), event(2)),
    ];
    const { code, stdout } = await listen(['--count', '2']).ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '{"n":1}\n{"n":2}\n' });
    expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      'ABCDEFGH-1',
    ]);
  });

  it('goes on over a restart: draining, 503, nobody there, and back', async () => {
    const draining: Frame = { event: 'stream.draining', data: '{"reconnectInMs":0}' };
    const { port } = service.address() as AddressInfo;
    plays = [
      (_, response) => {
        send(response, connected(4), draining);
        response.end();
      },
      (_, response) => {
        refuse(503, problemOf('UNAVAILABLE', { requestId: 'r' }), { 'Retry-After': '0' })(
          requests[1] as IncomingMessage,
          response,
        );
        service.close();
        service.closeAllConnections();
      },
      (_, response) => send(response, connected(4, 'complete'), event(5)),
    ];
    const stderr: string[] = [];
    const listening = run(['listen', '--workspace', 'acme', '--count', '1'], {
      env: { SLUICE_URL: url, SLUICE_TOKEN: 'the-token' },
      stdin: Readable.from([]),
      stdout: new PassThrough(),
      stderr: new Writable({
        write(chunk, _, done) {
          stderr.push(String(chunk));
          if (String(chunk).includes('nothing answers') && !service.listening) {
            service.listen(port, '127.0.0.1');
          }
          done();
        },
      }),
      signal: new AbortController().signal,
    });
    expect(await listening).toBe(0);
    expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      'ABCDEFGH-4',
      'ABCDEFGH-4',
    ]);
    const said = stderr.join('');
    expect(said).toContain('the service is going down');
    expect(said).toContain('UNAVAILABLE');
    expect(said).toContain('nothing answers at http://127.0.0.1');
  });

  it('comes back after it was too slow, though the service said to stay away', async () => {
    plays = [
      (_, response) => send(response, event(1), streamError('SLOW_CONSUMER')),
      (_, response) => send(response, event(2)),
    ];
    const { code, stderr } = await listen(['--count', '2']).ended;
    expect(code).toBe(0);
    expect(stderr).toContain('SLOW_CONSUMER: because of SLOW_CONSUMER; trying again');
  });

  it.each([
    ['expired', 'the events up to ABCDEFGH-5 are gone'],
    [
      'unknown_epoch',
      'the cursor ABCDEFGH-1 is of another log or workspace, so everything kept follows',
    ],
    ['ahead', 'the log is older than the cursor ABCDEFGH-1, so only new events follow'],
    ['a new reason', 'events behind ABCDEFGH-1 are gone (a new reason)'],
  ])('tells of a gap: %s', async (reason, said) => {
    const data = JSON.stringify({ from: 'ABCDEFGH-1', oldest: 'ABCDEFGH-5', reason });
    plays = [
      (_, response) => send(response, { id: 'ABCDEFGH-5', event: 'stream.gap', data }, event(6)),
    ];
    const { stderr } = await listen(['--count', '1']).ended;
    expect(stderr).toBe(`sluice: ${said}\n`);
  });

  it('comes back after a stream error that it does not know', async () => {
    const data = '{"code":"ASTEROID","detail":"one came down"}';
    plays = [
      (_, response) => send(response, event(1), { event: 'stream.error', data }),
      (_, response) => send(response, event(2)),
    ];
    const { code, stderr } = await listen(['--count', '2']).ended;
    expect(code).toBe(0);
    expect(stderr).toContain('ASTEROID: one came down; trying again');
  });

  it.each([408, 425, 429, 500, 502])('comes back after HTTP %i of whomever', async (status) => {
    plays = [refuse(status, ''), (_, response) => send(response, event(1))];
    expect(await listen(['--count', '1']).ended).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`HTTP ${status}: `),
    });
  });

  it('ends when the service ends the stream for good', async () => {
    plays = [
      (_, response) => {
        send(response, connected(0), streamError('FORBIDDEN'));
        response.end();
      },
    ];
    const { code, stderr } = await listen().ended;
    expect(code).toBe(1);
    expect(stderr).toContain('sluice: FORBIDDEN: because of FORBIDDEN\n');
    expect(requests).toHaveLength(1);
  });

  it.each<[string, Play, string]>([
    [
      'a problem',
      refuse(403, problemOf('WORKSPACE_MISMATCH', { requestId: 'r', detail: 'another' })),
      'WORKSPACE_MISMATCH: another',
    ],
    ['a redirect', refuse(302, '', { Location: '/login' }), 'HTTP 302: Found'],
    ['something else', refuse(200, {}), 'PROTOCOL_ERROR: the answer is not an event stream'],
    [
      'an endless body',
      (_, response) => {
        response.writeHead(404);
        const fill = () => {
          while (response.write('x'.repeat(65_536)));
        };
        response.on('drain', fill);
        fill();
      },
      'HTTP 404: Not Found',
    ],
  ])('ends when the service answers with %s', async (_, play, said) => {
    plays = [play];
    const { code, stdout, stderr } = await listen().ended;
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: `sluice: ${said}\n` });
    expect(requests).toHaveLength(1);
  });

  it('ends when its token expires', async () => {
    plays = [(_, response) => send(response, connected(0), streamError('TOKEN_EXPIRED'))];
    const { code, stderr } = await listen().ended;
    expect(code).toBe(1);
    expect(stderr).toContain('TOKEN_EXPIRED');
    expect(requests).toHaveLength(1);
  });

  it('goes on when its token expires and the file has a newer one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-listen-'));
    const file = join(folder, 'token');
    await writeFile(file, 'old');
    plays = [
      async (_, response) => {
        await writeFile(file, 'new');
        send(response, connected(3), streamError('TOKEN_EXPIRED'));
      },
      (_, response) => send(response, event(4)),
    ];
    const { code } = await listen(['--token-file', file, '--count', '1']).ended;
    await rm(folder, { recursive: true });
    expect(code).toBe(0);
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer old',
      'Bearer new',
    ]);
  });

  it('ends well when its user stops it', async () => {
    plays = [(_, response) => send(response, event(1))];
    const { ended, stop, stdout } = listen();
    stdout.once('readable', () => stop.abort());
    expect(await ended).toMatchObject({ code: 0, stdout: '{"n":1}\n' });
  });

  it('reads no faster than its output is taken', async () => {
    const count = 300;
    const data = JSON.stringify('x'.repeat(65_536));
    plays = [
      (_, response) => {
        for (let sent = 0; sent < count; sent++) send(response, { data });
      },
    ];
    let mostWaiting = 0;
    const slow = new PassThrough({
      highWaterMark: 1,
      transform(_chunk, _encoding, done) {
        mostWaiting = Math.max(mostWaiting, slow.writableLength);
        afterTurns(5, done);
      },
    });
    slow.resume();
    expect((await listen(['--count', `${count}`], { stdout: slow }).ended).code).toBe(0);
    expect(mostWaiting).toBeGreaterThan(0);
    expect(mostWaiting).toBeLessThan(20 * data.length);
  });
});

/** Calls back after some turns of the event loop. */
function afterTurns(turns: number, done: () => void): void {
  if (turns === 0) done();
  else setImmediate(() => afterTurns(turns - 1, done));
}
