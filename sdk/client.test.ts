import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import {
  cursorAt,
  cutStream,
  FAULTS,
  FaultServer,
  frames,
  refusal,
  status,
  stream,
  tokenAnswer,
} from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

const QUICK = { baseMs: 1, ceilMs: 5 };

describe('a client', () => {
  let server: FaultServer;
  let client: RealtimeClient;
  let seen: SubscriptionRecorder;

  beforeEach(async () => {
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  function make(options: Partial<RealtimeClientOptions> = { token: 't1' }): RealtimeClient {
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      backoff: QUICK,
      ...options,
    } as RealtimeClientOptions);
    return client;
  }

  const withCredentials = {
    clientId: 'backend',
    clientSecret: 'secret',
  } satisfies Partial<RealtimeClientOptions>;

  /** The bearer tokens, and `Basic`, in the order in which they were sent. */
  const tokensSent = (): (string | undefined)[] =>
    server.requests.map(({ headers }) =>
      headers.authorization?.replace(/Bearer |(?<=Basic) .*/, ''),
    );

  const cursorsSent = (): unknown[] =>
    server.requests.map(({ headers }) => headers['last-event-id']);

  it('subscribes, and hands on events with their cursors', async () => {
    server.script(stream(frames.connected(0), frames.event(1, 'a'), frames.event(2, 'b')));
    expect(make().state).toBe('idle');
    const { ready } = client.subscribe({ ...seen, topics: ['orders'] });
    expect(client.state).toBe('authorizing');
    await ready;
    expect(client.state).toBe('connected');
    await seen.until(({ events }) => events.length === 2);
    expect(seen.data).toEqual(['a', 'b']);
    expect(seen.cursors).toEqual([cursorAt(1), cursorAt(2)]);
    expect(seen.connected).toMatchObject([{ connectionId: 'c1', resumed: 'fresh' }]);
    expect(server.requests[0]?.url).toBe('/scripted/realtime/workspace/acme/events?topics=orders');
  });

  it('resumes behind the last cursor, be it of an event or of a heartbeat, and hands nothing on twice', async () => {
    server.script(
      cutStream(frames.connected(0), frames.event(1), frames.event(2)),
      cutStream(
        frames.connected(2, 'complete'),
        frames.event(2),
        frames.event(3),
        frames.heartbeat(9),
      ),
      stream(frames.connected(9, 'complete'), frames.event(8), frames.event(10)),
    );
    make().subscribe(seen);
    await seen.until(({ events }) => events.at(-1)?.data === 10);
    expect(seen.data).toEqual([1, 2, 3, 10]);
    expect(cursorsSent()).toEqual([undefined, cursorAt(2), cursorAt(9)]);
    expect(seen.errors).toMatchObject([
      { code: 'NETWORK_ERROR', willRetry: true },
      { code: 'NETWORK_ERROR', willRetry: true },
    ]);
    expect(seen.disconnected).toEqual([true, true]);
  });

  it('resumes where the caller says', async () => {
    server.script(stream(frames.connected(4, 'complete')));
    await make().subscribe({ ...seen, lastEventId: cursorAt(4) }).ready;
    expect(cursorsSent()).toEqual([cursorAt(4)]);
  });

  it('tells of a gap, and goes on behind it even where that lies further back', async () => {
    const gap = { from: cursorAt(9), oldest: cursorAt(0), reason: 'ahead' };
    server.script(
      stream(
        frames.connected(9, 'gap'),
        frames.control('stream.gap', gap, cursorAt(3)),
        frames.event(4),
      ),
    );
    make().subscribe({ ...seen, lastEventId: cursorAt(9) });
    await seen.until(({ events }) => events.length === 1);
    expect(seen.gaps).toEqual([gap]);
    expect(seen.data).toEqual([4]);
  });

  it('passes over control events of a newer service', async () => {
    server.script(
      stream(frames.connected(0), frames.control('stream.weather', ['rain']), frames.event(1)),
    );
    make().subscribe(seen);
    await seen.until(({ events }) => events.length === 1);
    expect(seen.errors).toEqual([]);
  });

  it.each([
    ['an event without a cursor', 'data: {}\n\n'],
    ['an event that is no JSON', `id: ${cursorAt(1)}\ndata: hello\n\n`],
    ['an event that is no CloudEvent', `id: ${cursorAt(1)}\ndata: {"hello":1}\n\n`],
    ['a control event without its members', frames.control('stream.draining', {})],
  ])('fails with PROTOCOL_ERROR on %s', async (_, text) => {
    server.script(stream(frames.connected(0), text));
    make().subscribe(seen);
    await seen.until(({ errors }) => errors.length === 1);
    expect(seen.errors).toMatchObject([{ code: 'PROTOCOL_ERROR', willRetry: false }]);
    expect(client.state).toBe('failed');
    expect(seen.events).toEqual([]);
  });

  it('takes a silent stream for dead, hangs up and opens it anew', async () => {
    server.script(FAULTS.stall, stream(frames.connected(0, 'complete'), frames.event(1)));
    make({ token: 't1', heartbeatTimeoutMs: 50 }).subscribe(seen);
    await seen.until(({ events }) => events.length === 1);
    expect(seen.errors[0]).toMatchObject({ code: 'HEARTBEAT_TIMEOUT', willRetry: true });
    await (await server.request(1)).over;
    expect(cursorsSent().slice(0, 2)).toEqual([undefined, cursorAt(0)]);
  });

  it('goes on after a recoverable error in the stream, and waits as long as it is told', async () => {
    server.script(
      stream(frames.connected(0), frames.error('SLOW_CONSUMER', 60)),
      stream(frames.connected(0, 'complete')),
    );
    make().subscribe(seen);
    await seen.until(({ errors }) => errors.length === 1);
    expect(client.state).toBe('reconnecting');
    const before = performance.now();
    await seen.until(({ connected }) => connected.length === 2);
    expect(performance.now() - before).toBeGreaterThanOrEqual(55);
    expect(seen.errors).toMatchObject([
      { code: 'SLOW_CONSUMER', willRetry: true, retryAfterMs: 60, requestId: 'r1' },
    ]);
  });

  it('fails for good on an error that is not recoverable, and says so once', async () => {
    server.script(stream(frames.connected(0), frames.error('FORBIDDEN')));
    make().subscribe(seen);
    await seen.until(({ errors }) => errors.length === 1);
    expect(client.state).toBe('failed');
    expect(seen.errors).toMatchObject([{ code: 'FORBIDDEN', willRetry: false }]);
    expect(seen.disconnected).toEqual([false]);
    expect(server.requests).toHaveLength(1);
  });

  it('rejects ready with a refusal that is not recoverable', async () => {
    server.script(refusal('WORKSPACE_MISMATCH', 403));
    const { ready } = make().subscribe(seen);
    await expect(ready).rejects.toMatchObject({ code: 'WORKSPACE_MISMATCH', status: 403 });
  });

  it.each([
    ['cuts it', ''],
    ['says UNAVAILABLE first', frames.error('UNAVAILABLE')],
  ])(
    'comes back when a draining service wants it, without an error, where the service %s',
    async (_, last) => {
      server.script(
        cutStream(
          frames.connected(0),
          frames.control('stream.draining', { reconnectInMs: 60 }),
          frames.event(1),
          last,
        ),
        stream(frames.connected(1, 'complete')),
      );
      make().subscribe(seen);
      await seen.until(({ disconnected }) => disconnected.length === 1);
      const before = performance.now();
      await seen.until(({ connected }) => connected.length === 2);
      expect(performance.now() - before).toBeGreaterThan(20);
      expect(seen.errors).toEqual([]);
      expect(seen.data).toEqual([1]);
    },
  );

  it('moves away from a draining service that holds on to its streams, unseen', async () => {
    server.script(
      stream(
        frames.connected(0),
        frames.control('stream.draining', { reconnectInMs: 20 }),
        frames.event(1),
      ),
      stream(frames.connected(1, 'complete'), frames.event(1), frames.event(2)),
    );
    make().subscribe(seen);
    await (await server.request(1)).over;
    await seen.until(({ events }) => events.length === 2);
    expect(cursorsSent()).toEqual([undefined, cursorAt(1)]);
    expect(seen.data).toEqual([1, 2]);
    expect([seen.connected.length, seen.disconnected, seen.errors]).toEqual([1, [], []]);
  });

  describe('with client credentials', () => {
    it('gets one token, at the service, and one stream, however many subscribe', async () => {
      server.script(tokenAnswer('t1'), stream(frames.connected(0)), stream(frames.connected(0)));
      make(withCredentials);
      await Promise.all([client.subscribe(seen).ready, client.subscribe(seen).ready]);
      expect(tokensSent()).toEqual(['Basic', 't1']);
      expect(server.requests[0]?.url).toBe('/scripted/oauth/token');
    });

    it('renews a token that runs out, at the door or in the stream, and resumes', async () => {
      server.script(
        tokenAnswer('t1'),
        refusal('TOKEN_EXPIRED', 401),
        tokenAnswer('t2'),
        stream(frames.connected(0), frames.event(1), frames.error('TOKEN_EXPIRED')),
        tokenAnswer('t3'),
        stream(frames.connected(1, 'complete')),
      );
      make(withCredentials).subscribe(seen);
      await seen.until(({ connected }) => connected.length === 2);
      expect(tokensSent()).toEqual(['Basic', 't1', 'Basic', 't2', 'Basic', 't3']);
      expect(cursorsSent().at(-1)).toBe(cursorAt(1));
      expect(seen.errors.map(({ code, willRetry }) => [code, willRetry])).toEqual([
        ['TOKEN_EXPIRED', true],
        ['TOKEN_EXPIRED', true],
      ]);
    });

    it('renews a refused token once; then the refusal is final', async () => {
      server.script(
        tokenAnswer('t1'),
        refusal('INVALID_TOKEN', 401),
        tokenAnswer('t2'),
        refusal('INVALID_TOKEN', 401),
      );
      make(withCredentials).subscribe(seen);
      await seen.until(({ errors }) => errors.length === 2);
      expect(seen.errors.map(({ willRetry }) => willRetry)).toEqual([true, false]);
      expect(client.state).toBe('failed');
      expect(tokensSent()).toEqual(['Basic', 't1', 'Basic', 't2']);
    });

    it('moves to a new token when the old one is about to run out', async () => {
      server.script(
        tokenAnswer('t1'),
        stream(
          frames.connected(0),
          frames.event(1),
          frames.control('stream.token_expiring', { expiresAt: '2030-01-01T00:00:00Z' }),
        ),
        tokenAnswer('t2'),
        stream(frames.connected(1, 'complete'), frames.event(1), frames.event(2)),
      );
      make(withCredentials).subscribe(seen);
      await seen.until(({ events }) => events.length === 2);
      expect(tokensSent()).toEqual(['Basic', 't1', 'Basic', 't2']);
      expect(seen.data).toEqual([1, 2]);
      expect(seen.errors).toEqual([]);
    });

    it('stays away when the provider says stop, and comes back when the provider is down', async () => {
      server.script(status(503), status(401));
      make(withCredentials).subscribe(seen);
      await seen.until(({ errors }) => errors.length === 2);
      expect(seen.errors).toMatchObject([
        { code: 'TOKEN_PROVIDER_ERROR', status: 503, willRetry: true },
        { code: 'TOKEN_PROVIDER_ERROR', status: 401, willRetry: false },
      ]);
      expect(client.state).toBe('failed');
    });
  });
});
