import { describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { startPlayground, WORKSPACE } from '../support/playground.js';
import { RawStream } from '../support/raw-http.js';

const EVENT = { topic: 'orders', type: 'order.created', data: { n: 1 } };

// A stream takes its socket over from `node:http`, whose parser may be in the middle of something at that time.
describe('a subscription by a request', () => {
  const oddities: readonly (readonly [what: string, headers: [string, string][], rest: string])[] =
    [
      ['whose body never comes', [['Content-Length', '5']], ''],
      ['whose body stops half way', [['Content-Length', '5']], 'ab'],
      ['whose chunked body never ends', [['Transfer-Encoding', 'chunked']], '2\r\nab\r\n'],
      ['that is followed by another one', [], 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
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
