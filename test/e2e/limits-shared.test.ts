import { expect, it } from '@jest/globals';
import { type Nodes, openStream, startNodes } from '../support/nodes.js';
import type { RawStream } from '../support/raw-http.js';
import type { RedisServer } from '../support/redis-server.js';
import type { Service } from '../support/service.js';
import { describeWith } from '../support/tools.js';
import { until } from '../support/until.js';

const LIMIT = 3;
/** A node counts as alive for 10 s after it last said so; the others hear of its end within 2 s. */
const LEASE_DEADLINE_MS = 20_000;

/** A stream, or `null` where there is no place for one more. */
async function tryToOpen(service: Service, token: string): Promise<RawStream | null> {
  const stream = await openStream(service, token);
  const { status } = await stream.head;
  if (status === 200) {
    await stream.next('stream.connected');
    return stream;
  }
  stream[Symbol.dispose]();
  expect(status).toBe(429);
  return null;
}

async function openMany(services: readonly Service[], token: string, count: number) {
  const streams: RawStream[] = [];
  for (let n = 0; n < count; n++) {
    const stream = await tryToOpen(services[n % services.length] as Service, token);
    if (stream === null) throw new Error('there should be a place');
    streams.push(stream);
  }
  return streams;
}

/** How many nodes are alive, by the word of Redis. */
async function nodesAlive(redis: RedisServer): Promise<number> {
  const [seconds, micros] = (await redis.ask('TIME')) as [string, string];
  const now = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  return Number(await redis.ask('ZCOUNT', 'sluice:places:{nodes}', String(now), '+inf'));
}

describeWith('redis-server', 'the streams of a subject on several nodes', () => {
  const start = (): Promise<Nodes> =>
    startNodes({ env: { MAX_STREAMS_PER_SUBJECT: String(LIMIT), DRAIN_MS: '0' } });

  it('are as many as it may have on all of them together', async () => {
    await using nodes = await start();
    const services = nodes.nodes.map(({ service }) => service);
    const token = nodes.issuer.mint();
    const streams = await openMany(services, token, LIMIT);
    for (const service of services) expect(await tryToOpen(service, token)).toBeNull();
    // Many at once get no more than there are.
    for (const stream of streams.splice(0)) stream[Symbol.dispose]();
    const other = nodes.issuer.mint({ sub: 'bob' });
    const crowd = await Promise.all(
      Array.from({ length: 20 }, (_, n) => tryToOpen(services[n % 2] as Service, other)),
    );
    expect(crowd.filter((stream) => stream !== null)).toHaveLength(LIMIT);
    for (const stream of crowd) stream?.[Symbol.dispose]();
    // What was left on one is free on the other.
    using last = await until('a place is free', () => tryToOpen(nodes.second.service, token));
    expect((await last.head).status).toBe(200);
  });

  it('of a node that was killed have their places until its lease has ended, and no longer', async () => {
    await using nodes = await start();
    const { first, second, redis } = nodes;
    const token = nodes.issuer.mint();
    await openMany([first.service], token, LIMIT);
    expect(await nodesAlive(redis)).toBe(2);
    await first.service.kill();
    expect(await tryToOpen(second.service, token)).toBeNull();
    const back = await until(
      'the places are free',
      async () => {
        const stream = await tryToOpen(second.service, token);
        if (stream !== null) expect(await nodesAlive(redis)).toBe(1);
        return stream;
      },
      LEASE_DEADLINE_MS,
    );
    // All of them, since they are of one node.
    const streams = [back, ...(await openMany([second.service], token, LIMIT - 1))];
    expect(await tryToOpen(second.service, token)).toBeNull();
    for (const stream of streams) stream[Symbol.dispose]();
  }, 40_000);

  it('of a node that goes down find their places at the others while they are still open', async () => {
    await using nodes = await startNodes({
      env: { MAX_STREAMS_PER_SUBJECT: String(LIMIT), DRAIN_MS: '8000' },
    });
    const { first, second } = nodes;
    const token = nodes.issuer.mint();
    const leaving = await openMany([first.service], token, LIMIT);
    const stopped = first.service.stop('SIGTERM');
    for (const stream of leaving) await stream.next('stream.draining');
    const moved: RawStream[] = [];
    while (moved.length < LIMIT) {
      moved.push(await until('there is a place', () => tryToOpen(second.service, token)));
    }
    for (const stream of [...leaving, ...moved]) stream[Symbol.dispose]();
    expect(await stopped).toMatchObject({ code: 0 });
  }, 40_000);
});
