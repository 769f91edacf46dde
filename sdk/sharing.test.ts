import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient } from '@sluice/sdk';
import {
  cursorAt,
  eventAt,
  type Fault,
  FaultServer,
  frames,
  refusal,
  status,
  stream,
} from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

/** An event of a topic, as a frame. */
function eventOf(topic: string, offset: number): string {
  const data = JSON.stringify({ ...eventAt(offset), topic });
  return `id: ${cursorAt(offset)}\ndata: ${data}\n\n`;
}

describe('subscriptions of one client', () => {
  let server: FaultServer;
  let client: RealtimeClient;
  let one: SubscriptionRecorder;
  let other: SubscriptionRecorder;
  /** The streams that the server has opened, for the test to write to. */
  let streams: ServerResponse[];

  beforeEach(async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    server = await FaultServer.start();
    client = new RealtimeClient({ endpoint: server.scripted, workspace: 'acme', token: 't1' });
    one = new SubscriptionRecorder();
    other = new SubscriptionRecorder();
    streams = [];
  });
  afterEach(async () => {
    client.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
    await server.close();
  });

  const opened =
    (...text: string[]): Fault =>
    (response, request) => {
      streams.push(response);
      stream(...text)(response, request);
    };

  /** What each request asked for: topics and cursor. */
  const asked = (): [topics: string | null, cursor: unknown][] =>
    server.requests.map(({ url, headers }) => [
      new URL(url, 'http://x').searchParams.get('topics'),
      headers['last-event-id'],
    ]);

  it('share a stream that asks for the topics of both, and each gets its own', async () => {
    server.script(
      opened(frames.connected(0), eventOf('orders', 1), eventOf('users', 2), eventOf('stock', 3)),
    );
    client.subscribe({ ...one, topics: ['orders'] });
    client.subscribe({ ...other, topics: ['users', 'orders'] });
    await other.until(({ events }) => events.length === 2);
    expect(one.data).toEqual([1]);
    expect(other.data).toEqual([1, 2]);
    expect(asked()).toEqual([['orders,users', undefined]]);
  });

  it('ask for all where one of them does', async () => {
    server.script(opened(frames.connected(0), eventOf('orders', 1), eventOf('users', 2)));
    client.subscribe({ ...one, topics: ['orders'] });
    client.subscribe(other);
    await other.until(({ events }) => events.length === 2);
    expect(one.data).toEqual([1]);
    expect(asked()).toEqual([[null, undefined]]);
  });

  it('ask for all where the address would grow too long, and sort out the rest', async () => {
    const many = (prefix: string): string[] =>
      Array.from({ length: 60 }, (_, index) => `${prefix}-${index}`);
    server.script(
      opened(frames.connected(0), eventOf('b-59', 1), eventOf('c', 2), eventOf('a-0', 3)),
    );
    client.subscribe({ ...one, topics: many('a') });
    client.subscribe({ ...other, topics: many('b') });
    await one.until(({ events }) => events.length === 1);
    expect([one.data, other.data]).toEqual([[3], [1]]);
    expect(asked()).toEqual([[null, undefined]]);
  });

  it('let a later one in by a new stream that takes over from the cursor', async () => {
    server.script(
      opened(frames.connected(0), eventOf('orders', 1)),
      opened(frames.connected(1, 'complete'), eventOf('users', 2), eventOf('orders', 3)),
    );
    client.subscribe({ ...one, topics: ['orders'] });
    await one.until(({ events }) => events.length === 1);
    await client.subscribe({ ...other, topics: ['users'] }).ready;
    await one.until(({ events }) => events.length === 2);
    expect([one.data, other.data]).toEqual([[1, 3], [2]]);
    expect([one.connected.length, one.disconnected.length]).toEqual([1, 0]);
    expect(other.connected).toMatchObject([{ resumed: 'fresh' }]);
    expect(asked()[1]).toEqual(['orders,users', cursorAt(1)]);
    await (await server.request(1)).over;
  });

  it('let a later one in at once where the stream carries its topics already', async () => {
    server.script(opened(frames.connected(5)));
    await client.subscribe({ ...one, topics: ['orders', 'users'] }).ready;
    const { ready } = client.subscribe({ ...other, topics: ['users'] });
    expect(other.connected).toEqual([]);
    await ready;
    streams[0]?.write(eventOf('users', 6));
    await other.until(({ events }) => events.length === 1);
    expect(server.requests).toHaveLength(1);
  });

  it('give a later one its history, and the earlier one nothing twice', async () => {
    server.script(
      opened(frames.connected(7), eventOf('orders', 8)),
      opened(frames.connected(2, 'complete'), ...[3, 8, 9].map((at) => eventOf('orders', at))),
    );
    client.subscribe(one);
    await one.until(({ events }) => events.length === 1);
    client.subscribe({ ...other, lastEventId: cursorAt(2) });
    await one.until(({ events }) => events.length === 2);
    expect(one.data).toEqual([8, 9]);
    expect(other.data).toEqual([3, 8, 9]);
    expect(asked()[1]).toEqual([null, cursorAt(2)]);
  });

  it('keep the place of one that waits for its history while the live stream goes on', async () => {
    server.script(
      opened(frames.connected(7)),
      (response) => streams.push(response),
      opened(frames.connected(2, 'complete'), ...[3, 8].map((at) => eventOf('orders', at))),
    );
    jest.spyOn(Math, 'random').mockReturnValue(0);
    await client.subscribe(one).ready;
    client.subscribe({ ...other, lastEventId: cursorAt(2) });
    await server.request(2);
    streams[0]?.write(eventOf('orders', 8));
    await one.until(({ events }) => events.length === 1);
    // The attempt that was to bring the history breaks; the next one must ask for the same.
    streams[1]?.socket?.destroy();
    await other.until(({ events }) => events.length === 2);
    expect(other.errors).toMatchObject([{ code: 'NETWORK_ERROR', willRetry: true }]);
    expect(one.errors).toEqual([]);
    expect(asked().map(([, cursor]) => cursor)).toEqual([undefined, cursorAt(2), cursorAt(2)]);
    expect([one.data, other.data]).toEqual([[8], [3, 8]]);
    jest.restoreAllMocks();
  });

  it('begin now and in the past without mixing the two up', async () => {
    server.script(
      opened(frames.connected(7)),
      opened(frames.connected(2, 'complete'), eventOf('orders', 3), eventOf('orders', 8)),
    );
    client.subscribe({ ...other, lastEventId: cursorAt(2) });
    client.subscribe(one);
    await one.until(({ events }) => events.length === 1);
    expect([one.data, other.data]).toEqual([[8], [3, 8]]);
    expect(asked()).toEqual([
      [null, undefined],
      [null, cursorAt(2)],
    ]);
  });

  it('tell of a gap only the one that it concerns', async () => {
    const foreign = 'ZZZZZZZZ-4';
    const gap = { from: foreign, oldest: cursorAt(0), reason: 'unknown_epoch' };
    server.script(
      opened(frames.connected(7)),
      opened(
        frames.connected(0, 'gap'),
        frames.control('stream.gap', gap, cursorAt(0)),
        ...[1, 7, 8].map((at) => eventOf('orders', at)),
      ),
    );
    await client.subscribe(one).ready;
    client.subscribe({ ...other, lastEventId: foreign });
    await one.until(({ events }) => events.length === 1);
    expect([one.data, other.data]).toEqual([[8], [1, 7, 8]]);
    expect([one.gaps, other.gaps]).toEqual([[], [gap]]);
  });

  it('find out which one is refused, and go on without it until there is another token', async () => {
    server.script(
      refusal('FORBIDDEN', 403),
      opened(frames.connected(0)),
      refusal('FORBIDDEN', 403),
      opened(frames.connected(0, 'complete')),
    );
    const { ready } = client.subscribe({ ...one, topics: ['orders'] });
    const refused = client.subscribe({ ...other, topics: ['secrets'] });
    await ready;
    await expect(refused.ready).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(other.errors).toMatchObject([{ code: 'FORBIDDEN', willRetry: false }]);
    expect(one.errors).toEqual([]);
    expect(client.state).toBe('connected');
    expect(asked().map(([topics]) => topics)).toEqual([
      'orders,secrets',
      'orders',
      'orders,secrets',
    ]);
    client.setToken('t2');
    await other.until(({ connected }) => connected.length === 1);
    expect(asked()[3]).toEqual(['orders,secrets', cursorAt(0)]);
  });

  it('fail together where each of them is refused, and each is told once', async () => {
    server.script(...Array<Fault>(4).fill(refusal('FORBIDDEN', 403)));
    const errors: string[] = [];
    client.close();
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      onError: ({ code }) => errors.push(code),
    });
    client.subscribe(one);
    client.subscribe(other);
    await other.until(({ errors }) => errors.length === 1);
    await Promise.resolve();
    expect(client.state).toBe('failed');
    expect([one.errors.length, other.errors.length]).toEqual([1, 1]);
    expect(errors).toEqual(['FORBIDDEN', 'FORBIDDEN']);
    expect(server.requests).toHaveLength(3);
  });

  it('stay closed where the client is closed by the one that is refused', async () => {
    server.script(...Array<Fault>(4).fill(refusal('FORBIDDEN', 403)));
    client.subscribe({
      ...one,
      onError: (error) => {
        client.close();
        one.onError(error);
      },
    });
    client.subscribe(other);
    await one.until(({ errors }) => errors.length === 1);
    await new Promise(setImmediate);
    expect(client.state).toBe('closed');
    expect(() => client.subscribe()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    expect(server.requests).toHaveLength(2);
  });

  it('find out which one is refused also where a renewal brings less than there was', async () => {
    server.script(
      opened(frames.connected(0)),
      refusal('FORBIDDEN', 403),
      refusal('FORBIDDEN', 403),
      opened(frames.connected(0, 'complete')),
    );
    client.subscribe({ ...one, topics: ['secrets'] });
    await client.subscribe({ ...other, topics: ['orders'] }).ready;
    client.setToken('t2');
    await other.until(({ connected }) => connected.length === 2);
    await (await server.request(1)).over;
    expect(one.errors).toMatchObject([{ code: 'FORBIDDEN', willRetry: false }]);
    expect(other.errors).toEqual([]);
    expect([one.disconnected, other.disconnected]).toEqual([[true], [true]]);
    expect(client.state).toBe('connected');
  });

  it('keep their stream where the one for a newcomer meets something that is no Sluice', async () => {
    server.script(opened(frames.connected(0)), status(302, { location: '/elsewhere' }));
    await client.subscribe({ ...one, topics: ['orders'] }).ready;
    client.subscribe({ ...other, topics: ['users'] });
    await other.until(({ errors }) => errors.length === 1);
    expect(other.errors).toMatchObject([{ code: 'PROTOCOL_ERROR', willRetry: false }]);
    streams[0]?.write(eventOf('orders', 1));
    await one.until(({ events }) => events.length === 1);
    expect(one.errors).toEqual([]);
    expect(client.state).toBe('connected');
  });

  it('narrow the stream a while after one of them has gone', async () => {
    server.script(opened(frames.connected(3)), opened(frames.connected(3, 'complete')));
    const subscription = client.subscribe({ ...one, topics: ['orders'] });
    client.subscribe({ ...other, topics: ['users'] });
    await other.until(({ connected }) => connected.length === 1);
    subscription.unsubscribe();
    await jest.advanceTimersByTimeAsync(999);
    expect(server.requests).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1);
    await server.request(2);
    expect(asked()[1]).toEqual(['users', cursorAt(3)]);
    await (await server.request(1)).over;
    expect(other.disconnected).toEqual([]);
  });

  it('leave nothing behind once the last of them has gone, and begin anew after that', async () => {
    server.script(opened(frames.connected(3)), opened(frames.connected(9)));
    await using subscription = client.subscribe(one);
    await subscription.ready;
    subscription.unsubscribe();
    expect(client.state).toBe('idle');
    await (await server.request(1)).over;
    expect(jest.getTimerCount()).toBe(0);
    await client.subscribe(other).ready;
    expect(asked()[1]).toEqual([null, undefined]);
  });

  it('that come and go in one turn open one stream', async () => {
    server.script(opened(frames.connected(3)));
    client.subscribe(one).unsubscribe();
    await client.subscribe(other).ready;
    expect(server.requests).toHaveLength(1);
  });
});

describe('iterating over a subscription', () => {
  let server: FaultServer;
  let client: RealtimeClient;

  beforeEach(async () => {
    server = await FaultServer.start();
    client = new RealtimeClient({ endpoint: server.scripted, workspace: 'acme', token: 't1' });
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  it('gives the events from the start on, and unsubscribes when the loop is left', async () => {
    server.script(stream(frames.connected(0), ...[1, 2, 3].map((at) => frames.event(at))));
    const subscription = client.subscribe();
    await subscription.ready;
    const cursors: string[] = [];
    for await (const { event, cursor } of subscription) {
      cursors.push(cursor);
      if (event.data === 2) break;
    }
    expect(cursors).toEqual([cursorAt(1), cursorAt(2)]);
    expect(client.state).toBe('idle');
  });

  it('ends with the subscription', async () => {
    server.script(stream(frames.connected(0), frames.event(1)));
    const subscription = client.subscribe();
    const data: unknown[] = [];
    for await (const { event } of subscription) {
      data.push(event.data);
      queueMicrotask(() => subscription.unsubscribe());
    }
    expect(data).toEqual([1]);
    for await (const _ of subscription) throw new Error('there is nothing left');
  });

  it('throws the error that ends it, after the events before that', async () => {
    server.script(stream(frames.connected(0), frames.event(1), frames.error('FORBIDDEN')));
    const data: unknown[] = [];
    const iteration = async (): Promise<void> => {
      for await (const { event } of client.subscribe()) data.push(event.data);
    };
    await expect(iteration()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(data).toEqual([1]);
  });

  it('throws SLOW_CONSUMER where too many events wait, after those that did', async () => {
    server.script(stream(frames.connected(0), ...[1, 2, 3, 4].map((at) => frames.event(at))));
    const seen = new SubscriptionRecorder();
    const { onError } = seen;
    const subscription = client.subscribe({ maxBufferedEvents: 2, onError });
    await seen.until(({ errors }) => errors.length === 1);
    expect(client.state).toBe('idle');
    const data: unknown[] = [];
    const iteration = async (): Promise<void> => {
      for await (const { event } of subscription) data.push(event.data);
    };
    await expect(iteration()).rejects.toMatchObject({ code: 'SLOW_CONSUMER' });
    expect(data).toEqual([1, 2]);
  });
});
