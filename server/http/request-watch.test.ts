import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventsPath, streamTokensPath } from '@sluice/protocol';
import { withResolvers } from '../../test/support/inbox.js';
import { RawStream, rawRequest } from '../../test/support/raw-http.js';
import {
  EVENTS,
  listen,
  openTestService,
  type RecordedLog,
  type TestService,
} from '../../test/support/test-service.js';
import { until } from '../../test/support/until.js';
import { tokenHashOf } from '../gate/token/token-hash.js';
import { watchOutside } from './outside-requests.js';
import { RequestWatch } from './request-watch.js';

let service: TestService;
beforeAll(async () => {
  service = await openTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

const EVENT = JSON.stringify({ topic: 'orders', type: 'created', data: { n: 1 } });
const ROUTE = '/realtime/workspace/:ws/events';

/** The lines of one request, as many as are said to come. */
async function linesOf(log: RecordedLog, requestId: string, count = 1) {
  const found = () =>
    log.lines.filter(({ fields }) => (fields as { requestId?: string }).requestId === requestId);
  await until('its lines are written', () => found().length >= count);
  return found();
}

const headOf = (id: string, token: string) =>
  `GET ${EVENTS} HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\n${bearer(token).join(': ')}\r\n\r\n`;
const bearer = (token: string): [string, string] => ['Authorization', `Bearer ${token}`];
const named = (id: string): [string, string] => ['X-Request-Id', id];
const JSON_BODY: [string, string] = ['Content-Type', 'application/json'];

describe('the line of a request', () => {
  it('tells of a publish who, what, how long and how much', async () => {
    await using server = await listen(service.app);
    const token = service.token();
    await rawRequest({
      port: server.port,
      method: 'POST',
      path: `${EVENTS}?x=secret`,
      headers: [bearer(token), JSON_BODY, named('publish-1')],
      body: `[${EVENT},${EVENT}]`,
    });
    const [line] = await linesOf(service.log, 'publish-1');
    expect(line).toEqual({
      level: 'info',
      message: 'request answered',
      fields: {
        requestId: 'publish-1',
        method: 'POST',
        route: ROUTE,
        workspace: 'acme',
        subject: 'alice',
        issuer: 'urn:sluice:embedded',
        tokenHash: tokenHashOf(token),
        status: 201,
        durationMs: expect.any(Number),
        bytesIn: expect.any(Number),
        bytesOut: expect.any(Number),
        events: 2,
      },
    });
    const { bytesIn } = { bytesIn: 0, ...line?.fields };
    expect(bytesIn).toBeGreaterThan(2 * EVENT.length);
  });

  it('calls a token by what its owner can work out', () => {
    // printf %s abc | openssl dgst -sha256 -binary | basenc --base64url | cut -c1-16
    expect(tokenHashOf('abc')).toBe('ungWv48Bz-pBQUDe');
  });

  it('tells why a request was refused, and of the token that was shown', async () => {
    await using server = await listen(service.app);
    const token = service.token();
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const refusals = [
      [EVENTS, [], { code: 'MISSING_TOKEN', status: 401 }],
      [EVENTS, [bearer('guess')], { code: 'INVALID_TOKEN', status: 401 }],
      [EVENTS, [bearer(forged)], { tokenHash: tokenHashOf(forged), code: 'INVALID_TOKEN' }],
      [
        eventsPath('other'),
        [bearer(token)],
        { workspace: 'other', tokenHash: tokenHashOf(token), code: 'WORKSPACE_MISMATCH' },
      ],
      ['/nothing', [bearer(token)], { code: 'NOT_FOUND', status: 404 }],
    ] as const;
    for (const [index, [path, headers, expected]] of refusals.entries()) {
      const seen = service.log.lines.length;
      const id = named(`refused-${index}`);
      await rawRequest({ port: server.port, path, headers: [...headers, id] });
      await until('its line is written', () => service.log.lines.length > seen);
      expect(service.log.lines.slice(seen)).toEqual([
        {
          level: 'info',
          message: 'request refused',
          fields: expect.objectContaining({ method: 'GET', ...expected }),
        },
      ]);
      const told = JSON.stringify(service.log.lines.slice(seen));
      expect(told.includes('guess') || told.includes('/nothing')).toBe(false);
    }
    const [guessed] = await linesOf(service.log, 'refused-1');
    expect(guessed?.fields).not.toHaveProperty('tokenHash');
  });

  it('holds no name of a workspace that could be a token, unless the token of the request vouches for it', async () => {
    await using server = await listen(service.app);
    const name = 'w'.repeat(43);
    const token = service.token(undefined, name);
    const get = async (id: string, headers: [string, string][]) => {
      await rawRequest({
        port: server.port,
        method: 'POST',
        path: streamTokensPath(name),
        headers: [...headers, named(id)],
      });
      const [line] = await linesOf(service.log, id);
      return (line?.fields as { workspace?: string } | undefined)?.workspace;
    };
    expect(await get('unproven', [])).toBeUndefined();
    expect(await get('another', [bearer(service.token())])).toBeUndefined();
    expect(await get('proven', [bearer(token)])).toBe(name);
  });

  it('tells what each request on one connection took', async () => {
    await using server = await listen(service.app);
    const head = (id: string) => `GET /x HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\n`;
    const sent = [
      `${head('kept-1')}\r\n`,
      `${head('kept-2')}X-More: ${'x'.repeat(500)}\r\nConnection: close\r\n\r\n`,
    ];
    const socket = connect(server.port, '127.0.0.1');
    socket.write(sent[0] as string);
    await linesOf(service.log, 'kept-1');
    socket.write(sent[1] as string);
    socket.resume();
    const [first] = await linesOf(service.log, 'kept-1');
    const [second] = await linesOf(service.log, 'kept-2');
    expect(first?.fields).toMatchObject({ bytesIn: sent[0]?.length });
    expect(second?.fields).toMatchObject({ bytesIn: sent[1]?.length });
    socket.destroy();
  });

  it('tells of a client that did not wait for its answers', async () => {
    let asked = 0;
    const decision = withResolvers<boolean>();
    await using slow = await openTestService(
      {},
      {
        permissionChecker: () => {
          asked++;
          return decision.promise;
        },
      },
    );
    await using server = await listen(slow.app);
    const socket = connect(server.port, '127.0.0.1');
    // The turn of the second answer never comes.
    socket.write(headOf('gone', slow.token()) + headOf('gone-behind', slow.token()));
    await until('both are under way', () => asked === 2);
    socket.destroy();
    for (const id of ['gone', 'gone-behind']) {
      const [line] = await linesOf(slow.log, id);
      expect(line).toMatchObject({ level: 'info', message: 'request abandoned' });
      expect(line?.fields).not.toHaveProperty('status');
    }
    decision.resolve(false);
  });

  it('says nothing within a stream about what comes behind it in one packet', async () => {
    let asked = 0;
    const second = withResolvers<boolean>();
    await using slow = await openTestService(
      {},
      { permissionChecker: () => ++asked === 1 || second.promise },
    );
    await using server = await listen(slow.app);
    watchOutside(server.server, new RequestWatch({ log: slow.log, tellsAddress: false }), slow.log);
    const token = slow.token();
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.write(headOf('stream', token) + headOf('behind', token));
    await until('the stream is open', () => text.includes('stream.connected'));
    socket.write('garbage\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect((await linesOf(slow.log, 'behind'))[0]).toMatchObject({ message: 'request abandoned' });
    second.resolve(false);
  });
});

describe('the lines of a stream', () => {
  it('tell of its opening and of its end, with the events that were handed over', async () => {
    await using server = await listen(service.app);
    const token = service.token(undefined, 'lines');
    const path = eventsPath('lines');
    const stream = await RawStream.open({
      port: server.port,
      path: `${path}?access_token=${token}`,
      headers: [named('stream-1')],
    });
    await stream.next('stream.connected');
    await rawRequest({
      port: server.port,
      method: 'POST',
      path,
      headers: [bearer(token), JSON_BODY],
      body: `[${EVENT},${EVENT},${EVENT}]`,
    });
    for (let n = 0; n < 3; n++) await stream.next('message');
    stream[Symbol.dispose]();
    const [opened, ended] = await linesOf(service.log, 'stream-1', 2);
    const who = {
      requestId: 'stream-1',
      workspace: 'lines',
      subject: 'alice',
      tokenHash: tokenHashOf(token),
    };
    expect(opened).toMatchObject({ message: 'stream opened', fields: { ...who, status: 200 } });
    expect(ended).toMatchObject({
      level: 'info',
      message: 'stream ended',
      fields: {
        ...who,
        code: null,
        reason: expect.stringMatching(/^The (client closed the )?connection( broke)?\.$/),
        events: 3,
        bytes: expect.any(Number),
        durationMs: expect.any(Number),
        cursor: expect.stringMatching(/^[0-9A-Z]{8}-3$/),
      },
    });
    expect(JSON.stringify([opened, ended])).not.toContain(token.slice(-20));
  });

  it('tell why the service ended it', async () => {
    const own = await openTestService();
    await using server = await listen(own.app);
    using stream = await RawStream.open({
      port: server.port,
      path: EVENTS,
      headers: [bearer(own.token()), named('stream-2')],
    });
    await stream.next('stream.connected');
    await own[Symbol.asyncDispose]();
    const [, ended] = await linesOf(own.log, 'stream-2', 2);
    expect(ended?.fields).toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'This node is going down.',
    });
  });
});
