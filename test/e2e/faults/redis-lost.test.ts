import { cp, rm } from 'node:fs/promises';
import { expect, it, jest } from '@jest/globals';
import { parseCursor } from '@sluice/protocol';
import { type Nodes, openStream, publishUntilTaken, startNodes } from '../../support/nodes.js';
import { numbered } from '../../support/playground.js';
import {
  areInOrder,
  controlEventsOf,
  eventsOf,
  numbersOf,
  untilSeen,
} from '../../support/stream-records.js';
import { describeWith } from '../../support/tools.js';

// On a busy machine processes take long to start.
jest.setTimeout(60_000);

describeWith('redis-server', 'a Redis that has lost', () => {
  it('everything gives stream.gap in live streams and to those who come back, then what is new', async () => {
    await using nodes = await startNodes();
    const { first, second, redis, issuer } = nodes;
    const token = issuer.mint();
    using live = await openStream(first.service, token);
    using idle = await openStream(second.service, token, { query: '?topics=nothing' });
    await live.next('stream.connected');
    await idle.next('stream.connected');
    const old = await taking(nodes, 1, 3);
    await untilSeen(live, old);

    await redis.ask('FLUSHALL');
    const fresh = await taking(nodes, 4, 5);
    const gap = await live.next('stream.gap');
    expect(gap.data).toMatchObject({ reason: 'unknown_epoch', from: old });
    expect((await idle.next('stream.gap')).data).toMatchObject({ reason: 'unknown_epoch' });
    await untilSeen(live, fresh);
    expect(numbersOf(live)).toEqual([1, 2, 3, 4, 5]);
    expect(controlEventsOf(live)).toEqual(['stream.connected', 'stream.gap']);
    expect(parseCursor(fresh)?.epoch).not.toBe(parseCursor(old)?.epoch);

    using back = await openStream(second.service, token, { lastEventId: old });
    expect((await back.next('stream.connected')).data).toMatchObject({ resumed: 'gap' });
    expect((await back.next('stream.gap')).data).toMatchObject({ reason: 'unknown_epoch' });
    await untilSeen(back, fresh);
    expect(numbersOf(back)).toEqual([4, 5]);
  });

  it('everything says so in live streams also where nothing is published any more', async () => {
    await using nodes = await startNodes({ count: 1 });
    const { first, redis, issuer } = nodes;
    using live = await openStream(first.service, issuer.mint());
    await live.next('stream.connected');
    await untilSeen(live, await taking(nodes, 1, 3));

    await redis.ask('FLUSHALL');
    expect((await live.next('stream.gap')).data).toMatchObject({ reason: 'unknown_epoch' });
  });

  it('its newest events gives stream.gap, and no cursor to two events', async () => {
    await using nodes = await startNodes({ env: { REDIS_DURABLE: 'false' } });
    const { first, second, redis, issuer } = nodes;
    const token = issuer.mint();
    using live = await openStream(first.service, token);
    await live.next('stream.connected');
    await untilSeen(live, await taking(nodes, 1, 3));

    const copy = `${redis.folder}-copy`;
    await cp(redis.folder, copy, { recursive: true });
    const lost = await taking(nodes, 4, 6);
    await untilSeen(live, lost);
    await redis.kill();
    await rm(redis.folder, { recursive: true });
    await cp(copy, redis.folder, { recursive: true });
    await rm(copy, { recursive: true });
    await redis.start();

    const fresh = await taking(nodes, 7, 8);
    await untilSeen(live, fresh);
    expect(controlEventsOf(live)).toEqual(['stream.connected', 'stream.gap']);
    expect((await live.next('stream.gap')).data).toMatchObject({ reason: 'lost', from: lost });
    expect(numbersOf(live)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(areInOrder(eventsOf(live))).toBe(true);

    using back = await openStream(second.service, token, { lastEventId: lost });
    expect((await back.next('stream.gap')).data).toMatchObject({ reason: 'lost', from: lost });
    await untilSeen(back, fresh);
    expect(numbersOf(back)).toEqual([7, 8]);

    const old = eventsOf(live)[0]?.cursor ?? '';
    using whole = await openStream(second.service, token, { lastEventId: old });
    await untilSeen(whole, fresh);
    expect(numbersOf(whole)).toEqual([2, 3, 7, 8]);
    expect(controlEventsOf(whole)).toEqual(['stream.connected', 'stream.gap']);
  });
});

/** Publishes one by one through the second node; gives the last cursor. */
async function taking({ second, issuer }: Nodes, from: number, to: number): Promise<string> {
  let last = '';
  for (let n = from; n <= to; n++) {
    const url = () => second.service.url;
    const { cursors } = await publishUntilTaken(url, issuer.mint(), numbered(n, n));
    last = cursors[0] ?? '';
  }
  return last;
}
