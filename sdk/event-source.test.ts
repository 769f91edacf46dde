import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import {
  cursorAt,
  FAULTS,
  FaultServer,
  frames,
  parametersOf,
  refusal,
  status,
  stream,
} from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

const HEARTBEAT_TIMEOUT_MS = 20_000;

describe('a client over an EventSource', () => {
  let server: FaultServer;
  let seen: SubscriptionRecorder;
  let client: RealtimeClient;

  beforeAll(async () => {
    // Loaded by the first stream. Under fake timers a module would not come.
    await import('./transport/event-source-transport.js');
  });
  beforeEach(async () => {
    // The client's timers alone: those of Node's own sockets and of its fetch go on.
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    jest.spyOn(Math, 'random').mockReturnValue(0);
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
  });
  afterEach(async () => {
    client.close();
    for (const { over } of server.requests) await over;
    expect(jest.getTimerCount()).toBe(0);
    jest.restoreAllMocks();
    jest.useRealTimers();
    await server.close();
  });

  function subscribe(options: Partial<RealtimeClientOptions> = {}): void {
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      transport: 'eventsource',
      heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
      token: 't1',
      ...options,
    } as RealtimeClientOptions);
    client.subscribe(seen);
  }

  const isConnected = (times: number) => seen.until(({ connected }) => connected.length === times);
  const sent = (parameter: string) =>
    server.requests.map((request) => parametersOf(request).get(parameter));

  it('resumes where it broke, with another stream token', async () => {
    server.script(
      stream(frames.connected(0), frames.event(1), frames.error('UNAVAILABLE')),
      stream(frames.connected(1, 'complete'), frames.event(1), frames.event(2)),
    );
    subscribe();
    await seen.until(({ errors }) => errors.length === 1);
    jest.runOnlyPendingTimers();
    await seen.until(({ events }) => events.length === 2);
    expect(seen.data).toEqual([1, 2]);
    expect(seen.errors).toMatchObject([{ code: 'UNAVAILABLE', willRetry: true }]);
    expect(sent('last_event_id')).toEqual([null, cursorAt(1)]);
    expect(sent('stream_token')).toEqual(['one-time-1', 'one-time-2']);
  });

  it('exchanges the token that was set, and opens its stream before it closes the other', async () => {
    server.script(stream(frames.connected(0)), stream(frames.connected(0, 'complete')));
    subscribe();
    await isConnected(1);
    client.setToken('t2');
    await (await server.request(1)).over;
    expect(server.exchanges.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer t1',
      'Bearer t2',
    ]);
    expect(client.state).toBe('connected');
    expect(seen.disconnected).toEqual([]);
  });

  it('hears why it is refused, and goes on with the token that onError sets', async () => {
    server.script(refusal('TOKEN_EXPIRED', 401), stream(frames.connected(0)));
    subscribe();
    await seen.until(({ errors }) => errors.length === 1);
    expect(seen.errors).toMatchObject([{ code: 'TOKEN_EXPIRED', status: 401, willRetry: false }]);
    client.setToken('t2');
    await isConnected(1);
    expect((await server.exchange(2)).headers.authorization).toBe('Bearer t2');
  });

  it('waits as long as the refusal of an exchange says', async () => {
    server.scriptExchange(refusal('RATE_LIMIT_EXCEEDED', 429, 7_000));
    server.script(stream(frames.connected(0)));
    subscribe();
    await seen.until(({ errors }) => errors.length === 1);
    jest.advanceTimersByTime(6_999);
    expect(client.state).toBe('reconnecting');
    jest.advanceTimersByTime(1);
    await isConnected(1);
  });

  it('gives up on a service that does not answer', async () => {
    server.script(FAULTS['slow-head']);
    subscribe();
    const { over } = await server.request(1);
    jest.advanceTimersByTime(15_000);
    await over;
    expect(seen.errors).toMatchObject([{ code: 'NETWORK_ERROR', willRetry: true }]);
  });

  it('takes no id for a cursor that is none', async () => {
    const ended = status(
      200,
      { 'content-type': 'text/event-stream' },
      `${frames.connected(3)}id: ωμέγα\nevent: stream.newer\ndata: {}\n\n` +
        'id: ωμέγα\nevent: stream.token_expiring\ndata: {"expiresAt":"x"}\n\n',
    );
    server.script(ended, stream(frames.connected(3, 'complete')));
    subscribe();
    await seen.until(({ errors }) => errors.length === 1);
    jest.runOnlyPendingTimers();
    await isConnected(2);
    expect(sent('last_event_id')).toEqual([null, cursorAt(3)]);
  });

  it('notices silence in Node', async () => {
    server.script(stream(frames.connected(0)));
    subscribe();
    await isConnected(1);
    jest.advanceTimersByTime(HEARTBEAT_TIMEOUT_MS);
    await (await server.request(1)).over;
    expect(seen.errors).toMatchObject([{ code: 'HEARTBEAT_TIMEOUT', willRetry: true }]);
  });
});
