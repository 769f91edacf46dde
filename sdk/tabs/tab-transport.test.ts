import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import { FakeTabs, TabPage } from '../../test/support/fake-tabs.js';
import { publish } from '../../test/support/playground.js';
import { SubscriptionRecorder } from '../../test/support/subscription-recorder.js';
import {
  type Listening,
  listen,
  openTestService,
  type TestService,
} from '../../test/support/test-service.js';
import { presenceName, shareName, streamName } from './tab-message.js';

describe('tabs that share', () => {
  let service: TestService;
  let server: Listening;
  let tabs: FakeTabs;
  let pages: TabPage[];
  /** The requests for streams, in their order, and those whose stream lives. */
  let asked: IncomingMessage[];
  let live: Set<IncomingMessage>;
  let published: number;

  beforeEach(async () => {
    service = await openTestService();
    asked = [];
    live = new Set();
    server = await listen((request, response) => {
      if (request.method === 'GET') {
        asked.push(request);
        live.add(request);
        request.socket.once('close', () => live.delete(request));
      }
      service.app(request, response);
    });
    tabs = new FakeTabs();
    pages = [];
    published = 0;
  });
  afterEach(async () => {
    for (const { client } of pages) client.close();
    await new Promise(setImmediate);
    tabs[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
  });

  const endpoint = (): string => `http://127.0.0.1:${server.port}`;

  function open(options: Partial<RealtimeClientOptions> = {}, topics?: readonly string[]): TabPage {
    const tab = tabs.open();
    const all = {
      endpoint: endpoint(),
      workspace: 'acme',
      crossTab: 'shared',
      backoff: { baseMs: 1, ceilMs: 5 },
      fetch: tab.fetch,
      ...(Object.keys(options).length === 0 && { token: service.token() }),
      ...options,
    } as RealtimeClientOptions;
    const page = new TabPage(tab, all, topics);
    pages.push(page);
    return page;
  }

  async function openConnected(count: number): Promise<readonly TabPage[]> {
    for (let i = 0; i < count; i++) await open().connects();
    return pages;
  }

  /** Publishes an event that carries its number, from 1 on. */
  async function say(topic = 'orders'): Promise<void> {
    const event = { topic, type: 'said', data: ++published };
    await publish(endpoint(), service.token(), [event]);
  }

  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

  /** Every one of `some` has got all that was published, once and in order. */
  async function expectAll(some: readonly TabPage[] = pages): Promise<void> {
    await Promise.all(some.map((page) => page.gets(published)));
    for (const page of some) expect(page.data).toEqual(numbers(published));
  }

  it('have one stream between them', async () => {
    await openConnected(8);
    await say();
    await say();
    await expectAll();
    expect(asked).toHaveLength(1);
    expect(pages.map(({ client }) => client.state)).toEqual(Array(8).fill('connected'));
  });

  /** The service hears of the end of a stream a moment later than the tabs. */
  async function oneStreamIsLeft(): Promise<void> {
    while (live.size > 1) await new Promise(setImmediate);
    expect(live.size).toBe(1);
  }

  it('get each what it has asked for', async () => {
    const orders = open(undefined, ['orders']);
    const bills = open(undefined, ['bills']);
    await Promise.all([orders.connects(), bills.connects()]);
    await say('orders');
    await say('bills');
    await say('orders');
    await Promise.all([orders.gets(2), bills.gets(1)]);
    expect([orders.data, bills.data]).toEqual([[1, 3], [2]]);
    await oneStreamIsLeft();
  });

  it('lose nothing, and notice nothing, when the one that leads is closed', async () => {
    const [first, ...others] = await openConnected(4);
    await say();
    await expectAll();
    first?.client.close();
    await say();
    await expectAll(others);
    expect(others.flatMap(({ errors, disconnected }) => [...errors, ...disconnected])).toEqual([]);
    expect(others.map(({ connected }) => connected.length)).toEqual([1, 1, 1]);
    await oneStreamIsLeft();
  });

  it('lose nothing that happens before a new one leads, though they never saw an event', async () => {
    const [first, ...others] = await openConnected(3);
    first?.tab.crash();
    await say();
    await expectAll(others);
    expect(others.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('are told of an error once each, and go on', async () => {
    await openConnected(3);
    const channels = tabs.openChannels.size;
    for (const { socket } of live) socket.destroy();
    await Promise.all(pages.map((page) => page.until(({ errors }) => errors.length === 1)));
    await say();
    await expectAll();
    for (const { errors, disconnected } of pages) {
      expect(errors).toMatchObject([{ code: 'NETWORK_ERROR', willRetry: true }]);
      expect(disconnected).toEqual([true]);
    }
    expect(tabs.openChannels.size).toBe(channels);
    await oneStreamIsLeft();
  });

  it('are forgotten by the one that leads when they are gone without a word', async () => {
    const [, second] = await openConnected(2);
    const channels = tabs.openChannels.size;
    second?.tab.crash();
    // Of a stream, the one that leads has one end and the tab has the other.
    while (tabs.openChannels.size === channels) await new Promise(setImmediate);
    expect(tabs.openChannels.size).toBe(channels - 1);
  });

  it('do not wait for one that leads and hangs', async () => {
    const [first] = await openConnected(1);
    if (first === undefined) throw new Error('no tab');
    first.tab.hang();
    const others = [open(), open()];
    await Promise.all(others.map((page) => page.connects()));
    await say();
    await expectAll(others);
    // Once it wakes up, it follows: it has lost the lock.
    first.tab.wake();
    await expectAll();
  });

  it('take the token that any of them is given, and send it to nobody but the service', async () => {
    const [first, second, third] = await openConnected(3);
    const token = service.token(['realtime:subscribe']);
    second?.setToken(token);
    while (asked.at(-1)?.headers.authorization !== `Bearer ${token}`)
      await new Promise(setImmediate);
    await say();
    await expectAll();
    await oneStreamIsLeft();
    expect([first, third].flatMap((page) => page?.disconnected)).toEqual([]);
    expect(pages.flatMap(({ errors }) => errors)).toEqual([]);
    const said = JSON.stringify(tabs.messages);
    expect(said).not.toContain(token);
    expect(said).not.toContain('eyJ');
  });

  it('share with nobody who has another key, and so another token', async () => {
    const ways = [undefined, 'ann', 'bob', 'ann', undefined];
    for (const crossTabKey of ways) await open({ token: service.token(), crossTabKey }).connects();
    await say();
    await expectAll();
    expect(live.size).toBe(3);
    const tokensSent = new Set(asked.map(({ headers }) => headers.authorization));
    expect(tokensSent.size).toBe(asked.length);
  });

  it('use no name that another key could make', () => {
    const share = (key: string): string => shareName('https://host', 'acme', key);
    expect(share('ann stream 1')).not.toBe(streamName(share('ann'), '1'));
    expect(share('ann tab 1')).not.toBe(presenceName(share('ann'), '1'));
  });

  it('ask one of them for a token', async () => {
    const getToken = jest.fn(async () => service.token());
    for (let i = 0; i < 4; i++) await open({ getToken }).connects();
    expect(getToken).toHaveBeenCalledTimes(1);
  });

  it('fail each by its own token alone', async () => {
    const bad = open({ token: 'not-a-token' });
    await bad.until(({ errors }) => errors.length === 1);
    expect(bad.errors).toMatchObject([{ code: 'INVALID_TOKEN', willRetry: false }]);
    const good = open();
    await good.connects();
    const alsoBad = open({ token: 'not-a-token-either' });
    await alsoBad.connects();
    bad.setToken('still-not-a-token');
    await bad.until(({ errors }) => errors.length === 2);
    await say();
    await expectAll([good]);
    expect(good.errors).toEqual([]);
  });

  it('pass over what other code says on their channel', async () => {
    const [first] = await openConnected(1);
    const channel = new BroadcastChannel(`sluice/1 ${endpoint()} acme`);
    for (const nonsense of [null, 'attach', { type: 'attach' }, { type: 'attach', stream: {} }]) {
      channel.postMessage(nonsense);
    }
    const attach = { type: 'attach', tab: 'x', types: [], lastEventId: null };
    channel.postMessage({ ...attach, stream: 'a', topics: ['two words'] });
    channel.postMessage({ ...attach, stream: 'b', topics: [], lastEventId: 'no cursor' });
    channel.close();
    await open().connects();
    await say();
    await expectAll();
    expect(first?.errors).toEqual([]);
  });

  it('leave no channel, no lock and no timer behind', async () => {
    await openConnected(3);
    for (const { client } of pages) client.close();
    while (live.size > 0 || tabs.locks.length > 0) await new Promise(setImmediate);
    expect(tabs.openChannels.size).toBe(0);
    expect(tabs.timers.size).toBe(0);
  });

  it('give up the lead without a subscription, and come back', async () => {
    const [first, second] = await openConnected(2);
    first?.client.close();
    await say();
    second?.client.close();
    const third = open();
    await third.connects();
    await oneStreamIsLeft();
  });
});

describe('a tab that cannot share', () => {
  it('has a stream of its own', async () => {
    await using service = await openTestService();
    await using server = await listen(service.app);
    const seen = new SubscriptionRecorder();
    const client = new RealtimeClient({
      endpoint: `http://127.0.0.1:${server.port}`,
      workspace: 'acme',
      crossTab: 'shared',
      token: service.token(),
    });
    await client.subscribe(seen).ready;
    await publish(`http://127.0.0.1:${server.port}`, service.token(), [
      { topic: 'orders', type: 'said', data: 1 },
    ]);
    await seen.until(({ events }) => events.length === 1);
    client.close();
  });
});
