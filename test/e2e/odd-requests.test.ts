import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { startPlayground, WORKSPACE } from '../support/playground.js';
import { RawStream, rawRequest } from '../support/raw-http.js';

const EVENT = { topic: 'orders', type: 'order.created', data: { n: 1 } };

// A stream takes its socket over from `node:http`, whose parser may be in the middle of something at that time.
describe('the service', () => {
  it('goes on, and ends in order, whatever came behind the requests of its streams', async () => {
    await using playground = await startPlayground();
    const { service, token } = playground;
    const path = eventsPath(WORKSPACE);
    const head = `Host: a\r\nAuthorization: Bearer ${token}\r\n`;
    const body = JSON.stringify(EVENT);
    const both =
      `GET ${path} HTTP/1.1\r\n${head}\r\n` +
      `POST ${path} HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    for (let n = 0; n < 10; n++) {
      const client = connect(service.port, '127.0.0.1');
      const begun = new Promise((resolve) => client.once('data', resolve));
      client.write(both);
      await begun;
      const closed = new Promise((resolve) => client.once('close', resolve));
      client.destroy();
      await closed;
    }
    await playground.publish([EVENT]);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('a request whose target cannot be read', () => {
  it('is refused plainly, and its token is written nowhere', async () => {
    await using playground = await startPlayground({ env: { LOG_LEVEL: 'trace' } });
    const { service, token } = playground;
    const { status, headers, body } = await rawRequest({
      port: service.port,
      path: `http://[::1${eventsPath(WORKSPACE)}?access_token=${token}`,
    });
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(headers.has('x-powered-by')).toBe(false);
    await service.stop();
    expect([...service.stderr.items, ...service.stdout.items].join()).not.toContain(token);
  });
});

describe('a subscription by a request', () => {
  const oddities: readonly (readonly [what: string, headers: [string, string][], rest: string])[] =
    [
      ['whose body never comes', [['Content-Length', '5']], ''],
      ['whose body stops half way', [['Content-Length', '5']], 'ab'],
      ['whose chunked body never ends', [['Transfer-Encoding', 'chunked']], '2\r\nab\r\n'],
      ['that is followed by another one', [], 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
      [
        'that is followed by one with a body',
        [],
        'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab',
      ],
      ['that is followed by half of another one', [], 'GET / HTTP/1.1\r\nHo'],
    ];

  it.each(oddities)('%s streams, and ends with the service', async (_, headers, rest) => {
    await using playground = await startPlayground();
    const { service, token } = playground;
    const authorization: [string, string] = ['Authorization', `Bearer ${token}`];
    const path = eventsPath(WORKSPACE);
    using stream = await RawStream.open({
      port: service.port,
      path,
      headers: [
        authorization,
        ...(headers.length > 0 ? headers : [['Content-Length', '0'] as [string, string]]),
      ],
      body: rest,
    });
    await stream.next('stream.connected');
    await playground.publish([EVENT]);
    expect((await stream.next('message')).data).toMatchObject(EVENT);

    using other = await RawStream.open({ port: service.port, path, headers: [authorization] });
    await other.next('stream.connected');
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect((await other.next('stream.error')).data).toMatchObject({ code: 'UNAVAILABLE' });
  });
});
