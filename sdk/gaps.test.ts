import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { encodeFrame, type StreamGap } from '@sluice/protocol';
import { RealtimeClient } from '@sluice/sdk';
import {
  cursorAt,
  cutStream,
  eventAt,
  FaultServer,
  frames,
  stream,
} from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

/** How many offsets a log passes over when another server keeps it from now on. */
const SEAM = 1_000_000_000;
const OTHER_EPOCH = 'ZZZZZZZZ';

/** An event of a log that was made anew. */
const otherEvent = (offset: number): string =>
  encodeFrame({ id: `${OTHER_EPOCH}-${offset}`, data: JSON.stringify(eventAt(offset)) });

function gapFrame(from: string, reason: StreamGap['reason'], goesOnBehind: string): string {
  return frames.control('stream.gap', { from, oldest: cursorAt(0), reason }, goesOnBehind);
}

describe('the subscriptions of a client', () => {
  let server: FaultServer;
  let client: RealtimeClient;
  let one: SubscriptionRecorder;
  let other: SubscriptionRecorder;

  beforeEach(async () => {
    server = await FaultServer.start();
    [one, other] = [new SubscriptionRecorder(), new SubscriptionRecorder()];
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      backoff: { baseMs: 1, ceilMs: 1 },
    });
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  const cursorsSent = (): unknown[] =>
    server.requests.map(({ headers }) => headers['last-event-id']);

  it('go on over offsets that were passed over, and resume behind them', async () => {
    server.script(
      cutStream(frames.connected(0), frames.event(1), frames.event(SEAM + 1)),
      stream(
        frames.connected(SEAM + 1, 'complete'),
        ...[1, SEAM + 1, SEAM + 2].map((at) => frames.event(at)),
      ),
    );
    client.subscribe(one);
    await one.until(({ events }) => events.length === 3);
    expect(one.data).toEqual([1, SEAM + 1, SEAM + 2]);
    expect(cursorsSent()).toEqual([undefined, cursorAt(SEAM + 1)]);
    expect(one.gaps).toEqual([]);
  });

  it.each([
    ['far ahead', SEAM],
    ['where it is', 2],
    ['behind it', 1],
  ])('are told of lost events by a stream that goes on %s, and follow it', async (_, behind) => {
    server.script(
      cutStream(
        frames.connected(0),
        frames.event(1),
        frames.event(2),
        gapFrame(cursorAt(2), 'lost', cursorAt(behind)),
      ),
      stream(frames.connected(behind, 'complete'), frames.event(behind + 1)),
    );
    client.subscribe(one);
    await one.until(({ events }) => events.length === 3);
    expect(one.gaps).toMatchObject([{ reason: 'lost' }]);
    expect(one.data).toEqual([1, 2, behind + 1]);
    expect(cursorsSent()).toEqual([undefined, cursorAt(behind)]);
  });

  it('follow a log that is made anew while the stream lives, and resume in it', async () => {
    server.script(
      cutStream(
        frames.connected(7),
        frames.event(8),
        gapFrame(cursorAt(8), 'unknown_epoch', `${OTHER_EPOCH}-0`),
        otherEvent(1),
        otherEvent(2),
      ),
      stream(frames.connected(7, 'complete').replace(cursorAt(7), `${OTHER_EPOCH}-2`)),
    );
    client.subscribe(one);
    await one.until(({ connected }) => connected.length === 2);
    expect(one.data).toEqual([8, 1, 2]);
    expect(one.gaps).toMatchObject([{ from: cursorAt(8), reason: 'unknown_epoch' }]);
    expect(cursorsSent()).toEqual([undefined, `${OTHER_EPOCH}-2`]);
  });

  it('are told of lost events unless they have come further already', async () => {
    server.script(
      stream(
        frames.connected(2),
        gapFrame(cursorAt(2), 'lost', cursorAt(SEAM)),
        frames.event(SEAM + 1),
      ),
      stream(
        frames.connected(1, 'complete'),
        frames.event(2),
        gapFrame(cursorAt(2), 'lost', cursorAt(SEAM)),
        frames.event(SEAM + 1),
        frames.event(SEAM + 2),
      ),
    );
    client.subscribe(one);
    await one.until(({ events }) => events.length === 1);
    client.subscribe({ ...other, lastEventId: cursorAt(1) });
    await other.until(({ events }) => events.length === 3);
    expect([one.data, other.data]).toEqual([
      [SEAM + 1, SEAM + 2],
      [2, SEAM + 1, SEAM + 2],
    ]);
    expect([one.gaps.length, other.gaps.length]).toEqual([1, 1]);
  });

  it('are all told when the log falls back behind the stream, wherever they are', async () => {
    server.script(
      stream(
        frames.connected(3, 'complete'),
        frames.event(4),
        gapFrame(cursorAt(4), 'lost', cursorAt(2)),
        frames.event(3),
      ),
    );
    client.subscribe({ ...one, lastEventId: cursorAt(3) });
    client.subscribe({ ...other, lastEventId: cursorAt(9) });
    await other.until(({ events }) => events.length === 1);
    expect([one.data, other.data]).toEqual([[4, 3], [3]]);
    expect([one.gaps.length, other.gaps.length]).toEqual([1, 1]);
  });

  it('go on in a log that is made anew while they move to the next stream', async () => {
    const drain = frames.control('stream.draining', { reconnectInMs: 5 });
    server.script(
      stream(
        frames.connected(7),
        drain,
        gapFrame(cursorAt(7), 'unknown_epoch', `${OTHER_EPOCH}-0`),
        otherEvent(1),
      ),
      // The other node tells of it once more, from where it begins.
      stream(
        frames.connected(0, 'gap').replace(/^id: .*\n/m, ''),
        gapFrame(cursorAt(7), 'unknown_epoch', `${OTHER_EPOCH}-0`),
        otherEvent(1),
        otherEvent(2),
      ),
    );
    client.subscribe(one);
    await one.until(({ events }) => events.length === 2);
    expect(one.data).toEqual([1, 2]);
    expect([one.gaps.length, one.disconnected]).toEqual([1, []]);
  });
});
