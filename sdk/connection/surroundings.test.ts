import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import { FakePage } from '../../test/model/fake-page.js';
import { cursorAt, FaultServer, frames, status, stream } from '../../test/support/fault-server.js';
import { SubscriptionRecorder } from '../../test/support/subscription-recorder.js';

describe('a client in a page', () => {
  let page: FakePage;
  let server: FaultServer;
  let client: RealtimeClient;
  let seen: SubscriptionRecorder;

  beforeEach(async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.9);
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
    page = new FakePage();
    page.install();
  });
  afterEach(async () => {
    client.close();
    expect(page.listeners).toEqual([]);
    page.remove();
    jest.restoreAllMocks();
    await server.close();
  });

  function make(options: Partial<RealtimeClientOptions> = {}): void {
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      // Long: whoever reconnects in these tests does so because of the page.
      backoff: { baseMs: 300_000, ceilMs: 300_000 },
      ...options,
    } as RealtimeClientOptions);
  }

  const cursorsSent = (): unknown[] =>
    server.requests.map(({ headers }) => headers['last-event-id']);

  /** A stream that has come to event 1, and the one after it. */
  async function connect(options: Partial<RealtimeClientOptions> = {}): Promise<void> {
    server.script(
      stream(frames.connected(0), frames.event(1)),
      stream(frames.connected(1, 'complete'), frames.event(2)),
    );
    make(options);
    client.subscribe(seen);
    await seen.until(({ events }) => events.length === 1);
  }

  async function expectResumed(): Promise<void> {
    await seen.until(({ events }) => events.length === 2);
    expect(client.state).toBe('connected');
    expect(seen.data).toEqual([1, 2]);
    expect(seen.errors).toEqual([]);
    expect(cursorsSent()).toEqual([undefined, cursorAt(1)]);
  }

  describe('whose network comes and goes', () => {
    it('is suspended while there is none, and tries at once when it is back', async () => {
      const gone = await FaultServer.start();
      const endpoint = gone.scripted;
      await gone.close();
      page.goOffline();
      make({ endpoint });
      client.subscribe(seen);
      await seen.until(({ errors }) => errors.length === 1);
      expect(client.state).toBe('suspended');
      expect(seen.errors).toMatchObject([{ code: 'NETWORK_ERROR', willRetry: true }]);
      page.goOnline();
      await seen.until(({ errors }) => errors.length === 2);
      expect(client.state).toBe('reconnecting');
    });

    it('ends a pause when it is back', async () => {
      server.script(status(503), stream(frames.connected(0)));
      make();
      client.subscribe(seen);
      await seen.until(({ errors }) => errors.length === 1);
      expect(client.state).toBe('reconnecting');
      page.goOnline();
      await seen.until(({ connected }) => connected.length === 1);
    });

    it('does not come back before the service wants it', async () => {
      server.script(status(503, { 'retry-after': '60' }));
      make();
      client.subscribe(seen);
      await seen.until(({ errors }) => errors.length === 1);
      page.goOnline();
      await settled();
      expect(client.state).toBe('reconnecting');
    });

    it('moves a live stream to the new network without a break', async () => {
      await connect();
      // Right after a stream was let in, nobody needs another one.
      jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_000);
      page.goOnline();
      await expectResumed();
      expect(seen.disconnected).toEqual([]);
      await (await server.request(1)).over;
    });
  });

  describe('that is hidden', () => {
    it('opens nothing for whatever happens meanwhile, where it is told to rest', async () => {
      page.hide();
      server.script(stream(frames.connected(0)));
      make({ suspendWhenHidden: true });
      const { ready } = client.subscribe(seen);
      expect(client.state).toBe('suspended');
      client.setToken('t2');
      client.reconnect();
      page.goOnline();
      await settled();
      expect(client.state).toBe('suspended');
      expect(server.requests).toEqual([]);
      page.show();
      await ready;
      expect(server.requests).toHaveLength(1);
    });

    it('goes on, unless it is told to rest', async () => {
      await connect();
      page.hide();
      page.show();
      await settled();
      expect(client.state).toBe('connected');
      expect(server.requests).toHaveLength(1);
    });

    it('rests where it is told to, and resumes when it is shown', async () => {
      await connect({ suspendWhenHidden: true });
      page.hide();
      expect(client.state).toBe('suspended');
      expect(seen.disconnected).toEqual([true]);
      await (await server.request(1)).over;
      page.show();
      await expectResumed();
    });

    it('ends a pause when it is shown', async () => {
      server.script(status(503), stream(frames.connected(0)));
      make();
      client.subscribe(seen);
      await seen.until(({ errors }) => errors.length === 1);
      page.show();
      await seen.until(({ connected }) => connected.length === 1);
    });
  });

  describe('that is put away', () => {
    it.each([
      ['into the back/forward cache', () => page.putAway(), () => page.bringBack()],
      ['frozen', () => page.freeze(), () => page.resume()],
    ])('%s hangs up, and resumes when it is taken out again', async (_, putAway, bringBack) => {
      await connect();
      putAway();
      expect(client.state).toBe('suspended');
      await (await server.request(1)).over;
      bringBack();
      await expectResumed();
    });

    it('for good keeps its stream to the last', async () => {
      await connect();
      page.putAway(false);
      expect(client.state).toBe('connected');
    });

    it('opens nothing while it is away', async () => {
      await connect();
      page.putAway();
      await (await server.request(1)).over;
      client.subscribe({});
      await settled();
      expect(client.state).toBe('suspended');
      expect(server.requests).toHaveLength(1);
      page.bringBack();
      await expectResumed();
    });
  });

  describe('leaves the page alone', () => {
    it('until the first subscription, and from the last one on', async () => {
      server.script(stream(frames.connected(0)));
      make();
      expect(page.looks).toBe(0);
      const first = client.subscribe(seen);
      const second = client.subscribe();
      expect([...page.listeners].sort()).toEqual([
        'freeze',
        'online',
        'pagehide',
        'pageshow',
        'resume',
        'visibilitychange',
      ]);
      first.unsubscribe();
      expect(page.listeners).toHaveLength(6);
      second.unsubscribe();
      expect(page.listeners).toEqual([]);
    });

    it('once it is closed', async () => {
      await connect();
      client.close();
      expect(page.listeners).toEqual([]);
    });
  });
});

/** Resolves when all that follows from what has happened so far, short of the network, has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
