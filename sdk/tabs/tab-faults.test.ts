import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RealtimeClientOptions } from '@sluice/sdk';
import { FakeTabs, TabPage } from '../../test/support/fake-tabs.js';
import { cursorAt, FaultServer, frames, refusal, stream } from '../../test/support/fault-server.js';

describe('tabs that share a stream which goes wrong', () => {
  let server: FaultServer;
  let tabs: FakeTabs;
  let pages: TabPage[];
  /** What the streams are written to, in their order. */
  let lines: ServerResponse[];

  beforeEach(async () => {
    server = await FaultServer.start();
    tabs = new FakeTabs();
    pages = [];
    lines = [];
  });
  afterEach(async () => {
    for (const { client } of pages) client.close();
    await new Promise(setImmediate);
    tabs[Symbol.dispose]();
    await server.close();
  });

  function open(options: object = { token: 't1' }, topics?: readonly string[]): TabPage {
    const tab = tabs.open();
    const all = {
      endpoint: server.scripted,
      workspace: 'acme',
      crossTab: 'shared',
      backoff: { baseMs: 1, ceilMs: 5 },
      fetch: tab.fetch,
      ...options,
    } as RealtimeClientOptions;
    const page = new TabPage(tab, all, topics);
    pages.push(page);
    return page;
  }

  /** The next request gets a stream that begins with `text`, and to which the test may write more. */
  function scriptLine(...text: string[]): void {
    server.script((response, request) => {
      lines.push(response);
      stream(...text)(response, request);
    });
  }

  async function openTwo(options?: object): Promise<[TabPage, TabPage]> {
    scriptLine(frames.connected(0));
    const first = open(options);
    await first.connects();
    const second = open(options);
    await second.connects();
    return [first, second];
  }

  it('resume where a heartbeat has brought the one that led', async () => {
    const [first, second] = await openTwo();
    lines[0]?.write(frames.heartbeat(7));
    lines[0]?.write(frames.event(8));
    await second.gets(1);
    lines[0]?.write(frames.heartbeat(9));
    lines[0]?.write(frames.event(10));
    await second.gets(2);
    scriptLine(frames.connected(10, 'complete'), frames.event(11));
    first.client.close();
    await second.gets(3);
    expect((await server.request(2)).headers['last-event-id']).toBe(cursorAt(10));
  });

  it('resume behind what a heartbeat alone has told', async () => {
    const [first, second] = await openTwo();
    const told = (): boolean => JSON.stringify(tabs.heard).includes(cursorAt(7));
    // How far a stream has come is told with the next sign of life.
    while (!told()) {
      lines[0]?.write(frames.heartbeat(7));
      await new Promise(setImmediate);
    }
    scriptLine(frames.connected(7, 'complete'), frames.event(8));
    first.client.close();
    await second.gets(1);
    expect((await server.request(2)).headers['last-event-id']).toBe(cursorAt(7));
  });

  it('are told of a gap that opens while the lead passes on', async () => {
    const [first, second] = await openTwo();
    const gap = { from: cursorAt(0), oldest: cursorAt(9), reason: 'expired' };
    scriptLine(
      frames.connected(0, 'gap').replace(/^id: .*\n/m, ''),
      frames.control('stream.gap', gap, cursorAt(9)),
      frames.event(10),
    );
    first.client.close();
    await second.gets(1);
    expect(second.gaps).toEqual([gap]);
    expect(second.data).toEqual([10]);
    expect(second.connected).toHaveLength(1);
    expect(second.errors).toEqual([]);
  });

  it('see nothing of a service that goes down while the one that leads moves', async () => {
    const some = await openTwo();
    scriptLine(frames.connected(1, 'complete'), frames.event(1), frames.event(2));
    lines[0]?.write(frames.control('stream.draining', { reconnectInMs: 5 }) + frames.event(1));
    for (const page of some) {
      await page.gets(2);
      expect(page.data).toEqual([1, 2]);
      expect([page.connected.length, page.disconnected, page.errors]).toEqual([1, [], []]);
    }
    await (await server.request(1)).over;
    expect(server.requests).toHaveLength(2);
  });

  it.each([1_000_000_000, 0])(
    'are told of lost events in the stream that goes on behind %d, and resume there',
    async (behind) => {
      const [first, second] = await openTwo();
      const gap = { from: cursorAt(1), oldest: cursorAt(0), reason: 'lost' };
      lines[0]?.write(frames.event(1) + frames.control('stream.gap', gap, cursorAt(behind)));
      lines[0]?.write(frames.event(behind + 2));
      for (const page of [first, second]) {
        await page.gets(2);
        expect(page.data).toEqual([1, behind + 2]);
        expect(page.gaps).toEqual([gap]);
      }
      scriptLine(frames.connected(behind + 2, 'complete'), frames.event(behind + 3));
      first.client.close();
      await second.gets(3);
      expect((await server.request(2)).headers['last-event-id']).toBe(cursorAt(behind + 2));
      expect(second.gaps).toHaveLength(1);
    },
  );

  it('hear of no error where the one that leads gets over it with another token', async () => {
    let count = 0;
    const getToken = jest.fn(async () => `t${++count}`);
    const [first, second] = await openTwo({ getToken });
    // The client of the leading tab asks again for each tab that comes back while it connects.
    for (let i = 0; i < 3; i++) scriptLine(frames.connected(0, 'complete'), frames.event(1));
    lines[0]?.write(frames.error('TOKEN_EXPIRED'));
    await Promise.all([first.gets(1), second.gets(1)]);
    expect([...first.errors, ...second.errors]).toEqual([]);
    expect(getToken).toHaveBeenCalledTimes(2);
    expect((await server.request(2)).headers.authorization).toBe('Bearer t2');
  });

  it('try one after another where a token has run out, and fail together where all have', async () => {
    const [first, second] = await openTwo();
    server.script(refusal('TOKEN_EXPIRED', 401));
    lines[0]?.write(frames.error('TOKEN_EXPIRED'));
    for (const page of [first, second]) {
      await page.until(({ errors }) => errors.length === 1);
      expect(page.errors).toMatchObject([{ code: 'TOKEN_EXPIRED', willRetry: false }]);
      expect(page.client.state).toBe('failed');
    }
    scriptLine(frames.connected(0, 'complete'), frames.event(1));
    second.setToken('t2');
    await second.gets(1);
    expect(tabs.locks.length).toBe(2);
  });

  it('are refused alone what they alone have asked for', async () => {
    scriptLine(frames.connected(0));
    const first = open(undefined, ['orders']);
    await first.connects();
    server.script(refusal('FORBIDDEN', 403));
    const second = open(undefined, ['secrets']);
    await second.until(({ errors }) => errors.length === 1);
    expect(second.errors).toMatchObject([{ code: 'FORBIDDEN', status: 403, requestId: 'r1' }]);
    lines[0]?.write(frames.event(1));
    await first.gets(1);
    expect(first.errors).toEqual([]);
    expect(first.disconnected).toEqual([]);
  });

  it('pass over what other code says to a stream, and let it ask for no more than five minutes', async () => {
    const [first, second] = await openTwo();
    const uncaught = jest.fn();
    process.on('uncaughtException', uncaught);
    const { stream } = tabs.messages.findLast(isAttach) ?? {};
    const channel = new BroadcastChannel(`sluice/1 ${server.scripted} acme stream ${stream}`);
    const nonsense = [
      {},
      { frame: null },
      { frame: 'data' },
      { frame: {} },
      { frame: { id: 'no cursor', data: '{}' } },
      { frame: { event: 7, data: '{}' } },
    ];
    for (const frame of nonsense) channel.postMessage({ type: 'frame', ...frame });
    const error = {
      name: 'RealtimeError',
      code: 'UNAVAILABLE',
      retryAfterMs: Number.POSITIVE_INFINITY,
    };
    channel.postMessage({ type: 'end', error });
    await second.until(({ errors }) => errors.length === 1);
    channel.close();
    process.off('uncaughtException', uncaught);
    expect(second.errors).toMatchObject([{ code: 'UNAVAILABLE', retryAfterMs: 300_000 }]);
    expect(first.errors).toEqual([]);
    expect(uncaught).not.toHaveBeenCalled();
  });

  it('have each a stream where the page may not use its locks', async () => {
    tabs.refuses = true;
    scriptLine(frames.connected(0), frames.event(1));
    await open().gets(1);
  });

  it('follow a client to another address, and leave the others where they are', async () => {
    const [first, second] = await openTwo();
    const other = await FaultServer.start();
    other.script(stream(frames.connected(0, 'complete'), frames.event(1, 'there')));
    first.tab.run(() => first.client.updateEndpoint({ baseUrl: other.scripted }));
    scriptLine(frames.connected(0, 'complete'), frames.event(1, 'here'));
    await Promise.all([first.gets(1), second.gets(1)]);
    expect([first.data, second.data]).toEqual([['there'], ['here']]);
    first.client.close();
    await other.close();
  });
});

function isAttach(message: unknown): message is { readonly stream: string } {
  return Object(message).type === 'attach';
}
