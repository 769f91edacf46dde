import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient, type RealtimeError } from '@sluice/sdk';
import { FaultServer, frames, refusal, status, stream } from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

describe('a client that is urged on', () => {
  let server: FaultServer;
  let client: RealtimeClient;
  let seen: SubscriptionRecorder;

  beforeEach(async () => {
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      // Long: whoever waits by it is seen to.
      backoff: { baseMs: 300_000, ceilMs: 300_000 },
    });
    jest.spyOn(Math, 'random').mockReturnValue(0.9);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    client.close();
    await server.close();
  });

  const rounds = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  };

  it('by tokens that run out as soon as they have let a stream in pauses between them', async () => {
    const endedAtOnce = stream(frames.connected(0), frames.error('TOKEN_EXPIRED'));
    server.script(...Array(9).fill(endedAtOnce));
    let token = 1;
    const onError = (error: RealtimeError): void => {
      seen.onError(error);
      client.setToken(`t${++token}`);
    };
    client.subscribe({ onError });
    await seen.until(({ errors }) => errors.length === 2);
    await rounds();
    expect(server.requests).toHaveLength(2);
    expect(client.state).toBe('reconnecting');
  });

  it('by subscribing anew after each refusal waits as long as the service has asked for', async () => {
    server.script(...Array(9).fill(refusal('RATE_LIMIT_EXCEEDED', 429, 60_000)));
    const subscribe = (): void => {
      const subscription = client.subscribe({
        onError: (error) => {
          seen.onError(error);
          subscription.unsubscribe();
          subscribe();
        },
      });
    };
    subscribe();
    await seen.until(({ errors }) => errors.length === 1);
    await rounds();
    expect(server.requests).toHaveLength(1);
    expect(client.state).toBe('reconnecting');
  });

  it('by reconnect after each failure gets one attempt at once, and then pauses', async () => {
    server.script(...Array(9).fill(status(503, { 'retry-after': '60' })));
    client.subscribe({
      onError: (error) => {
        seen.onError(error);
        client.reconnect();
      },
    });
    await seen.until(({ errors }) => errors.length === 2);
    await rounds();
    expect(server.requests).toHaveLength(2);
  });

  it('by reconnect while it connects pauses too', async () => {
    server.script(...Array(9).fill(() => {}));
    client.subscribe(seen);
    for (let turn = 0; turn < 20; turn++) {
      client.reconnect();
      await rounds();
    }
    expect(server.requests.length).toBeLessThan(4);
  });
});

describe('a client that may not try for ever', () => {
  let server: FaultServer;
  beforeEach(async () => {
    server = await FaultServer.start();
  });
  afterEach(() => server.close());

  it('rejects ready and ends the iteration when it has tried often enough', async () => {
    server.script(status(503), status(503));
    const client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      backoff: { baseMs: 1, ceilMs: 1 },
      maxAttempts: 2,
    });
    const subscription = client.subscribe();
    const iteration = subscription[Symbol.asyncIterator]().next();
    await expect(subscription.ready).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(iteration).rejects.toMatchObject({ code: 'UNAVAILABLE', willRetry: false });
    expect(client.state).toBe('failed');
    client.close();
  });

  it('goes on trying for the next stream while it has one, and says so', async () => {
    server.script(
      stream(frames.connected(0)),
      status(503),
      status(503),
      stream(frames.connected(0)),
    );
    const errors: RealtimeError[] = [];
    const client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      token: 't1',
      backoff: { baseMs: 1, ceilMs: 1 },
      maxAttempts: 1,
      onError: (error) => errors.push(error),
    });
    const seen = new SubscriptionRecorder();
    await client.subscribe(seen).ready;
    client.setToken('t2');
    await (await server.request(1)).over;
    expect(errors).toMatchObject([
      { code: 'UNAVAILABLE', willRetry: true },
      { code: 'UNAVAILABLE', willRetry: true },
    ]);
    expect(seen.errors).toEqual([]);
    expect(client.state).toBe('connected');
    client.close();
  });
});

describe('a service that says too much', () => {
  it('gets one timer for all its words of draining, and no gap told before it lets in', async () => {
    const server = await FaultServer.start();
    const seen = new SubscriptionRecorder();
    const client = new RealtimeClient({ endpoint: server.scripted, workspace: 'acme', token: 't' });
    const draining = frames.control('stream.draining', { reconnectInMs: 60_000 });
    const gap = frames.control('stream.gap', { from: 'a', oldest: 'b', reason: 'expired' });
    server.script(
      stream(frames.connected(0), draining.repeat(1_000), frames.event(1)),
      stream(gap, frames.connected(0)),
    );
    const timers = jest.spyOn(globalThis, 'setTimeout');
    client.subscribe(seen);
    await seen.until(({ events }) => events.length === 1);
    expect(timers.mock.calls.filter(([, ms]) => ms === 60_000)).toHaveLength(1);
    jest.restoreAllMocks();
    client.setToken('t2');
    await seen.until(({ errors }) => errors.length === 1);
    expect(seen.errors).toMatchObject([{ code: 'PROTOCOL_ERROR' }]);
    expect(seen.gaps).toEqual([]);
    client.close();
    await server.close();
  });
});
