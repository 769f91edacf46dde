import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TERMINAL_RETRY_MS } from '@sluice/protocol';
import { TokenManager } from '../auth/token-manager.js';
import { RealtimeError } from '../errors.js';
import { Subscriber } from '../subscription/subscriber.js';
import { SubscriptionSet } from '../subscription/subscription-set.js';
import type { StreamListener, StreamRequest, Transport } from '../transport/transport.js';
import { Connection } from './connection.js';
import { Retry } from './retry.js';
import type { ConnectionState } from './state.js';

/** A transport whose streams the test speaks for. */
class SpokenTransport implements Transport {
  readonly streams: { listener: StreamListener; fail(error: RealtimeError): void }[] = [];

  run(_: StreamRequest, listener: StreamListener, signal: AbortSignal): Promise<void> {
    return new Promise((_resolve, fail) => {
      signal.addEventListener('abort', () => fail(signal.reason), { once: true });
      this.streams.push({ listener, fail });
    });
  }

  /** Lets the last stream in, as the service does. */
  letIn(): void {
    this.listener?.onActivity();
    this.listener?.onFrame({
      event: 'stream.connected',
      data: '{"connectionId":"c","workspace":"w","subject":"s","expiresAt":"t","resumed":"fresh"}',
    });
  }

  get listener(): StreamListener | undefined {
    return this.streams.at(-1)?.listener;
  }
}

describe('the pauses of a connection', () => {
  let transport: SpokenTransport;
  let connection: Connection;
  let errors: RealtimeError[];
  let states: ConnectionState[];
  let isOffline: boolean;
  let tokens: number;

  beforeEach(async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    jest.spyOn(Math, 'random').mockReturnValue(1);
    transport = new SpokenTransport();
    errors = [];
    states = [];
    isOffline = false;
    tokens = 0;
    const subscriptions = new SubscriptionSet((error) => errors.push(error));
    subscriptions.add(new Subscriber({}, () => {}));
    const source = {
      canRenew: true,
      renewsAhead: true,
      fetch: async () => ({ value: `t${++tokens}`, lifetimeMs: null }),
    };
    connection = new Connection({
      endpoint: () => 'http://127.0.0.1:1',
      workspace: 'acme',
      transport,
      tokens: new TokenManager(source, () => {}),
      subscriptions,
      retry: new Retry({ baseMs: 500, ceilMs: 30_000 }, 8),
      heartbeatTimeoutMs: 45_000,
      isOffline: () => isOffline,
      onState: () => states.push(connection.state),
    });
    connection.refresh();
    await jest.advanceTimersByTimeAsync(0);
  });
  afterEach(() => {
    connection.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  /** Ends the stream, and measures the pause until the next one. */
  async function pauseAfter(error = new RealtimeError('NETWORK_ERROR')): Promise<number> {
    const { length } = transport.streams;
    transport.streams.at(-1)?.fail(error);
    const start = performance.now();
    await jest.advanceTimersByTimeAsync(0);
    while (transport.streams.length === length) await jest.advanceTimersToNextTimerAsync();
    return performance.now() - start;
  }

  it('grow while streams are let in and break again at once', async () => {
    const pauses: number[] = [];
    for (let i = 0; i < 4; i++) {
      transport.letIn();
      pauses.push(await pauseAfter());
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000]);
    expect(errors.every(({ willRetry }) => willRetry)).toBe(true);
  });

  it('begin anew after ten healthy seconds', async () => {
    expect(await pauseAfter()).toBe(500);
    transport.letIn();
    await jest.advanceTimersByTimeAsync(9_999);
    expect(await pauseAfter()).toBe(1_000);
    transport.letIn();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await pauseAfter()).toBe(500);
  });

  it('are none for a token that has run out, unless that happens again and again', async () => {
    const pauses: number[] = [];
    for (let i = 0; i < 3; i++) {
      pauses.push(await pauseAfter(new RealtimeError('TOKEN_EXPIRED')));
      transport.letIn();
    }
    expect(pauses).toEqual([0, 1_000, 2_000]);
  });

  it('grow where a service drains as soon as it lets streams in', async () => {
    const starts: number[] = [];
    for (let i = 0; i < 3; i++) {
      transport.letIn();
      transport.listener?.onFrame({ event: 'stream.draining', data: '{"reconnectInMs":0}' });
      starts.push(await pauseAfter());
    }
    expect(starts).toEqual([0, 500, 1_000]);
    expect(errors).toEqual([]);
  });

  it('are as long as the service asks for, and somewhat longer', async () => {
    const asked = new RealtimeError('UNAVAILABLE', { retryAfterMs: 8_000 });
    expect(await pauseAfter(asked)).toBe(8_000 + 2_000 + 500);
    jest.mocked(Math.random).mockReturnValue(0);
    expect(await pauseAfter(asked)).toBe(8_000);
  });

  it('heed the retry of the stream, but not a terminal one', async () => {
    transport.listener?.onFrame({ retry: TERMINAL_RETRY_MS });
    expect(await pauseAfter()).toBe(500);
    transport.listener?.onFrame({ retry: 3_000 });
    expect(await pauseAfter()).toBe(6_000);
  });

  it('do not heed the retry of a draining service, which is the time of one move', async () => {
    transport.letIn();
    const data = '{"reconnectInMs":20000}';
    transport.listener?.onFrame({ event: 'stream.draining', data, retry: 20_000 });
    expect(await pauseAfter(new RealtimeError('SLOW_CONSUMER'))).toBe(500);
  });

  it('come when nothing was heard for the time of the watchdog, which every sign of life puts off', async () => {
    transport.letIn();
    await jest.advanceTimersByTimeAsync(44_999);
    transport.listener?.onActivity();
    await jest.advanceTimersByTimeAsync(44_999);
    expect(connection.state).toBe('connected');
    await jest.advanceTimersByTimeAsync(1);
    expect(connection.state).toBe('reconnecting');
    expect(errors).toMatchObject([{ code: 'HEARTBEAT_TIMEOUT', willRetry: true }]);
  });

  it('end with the last attempt that is allowed', async () => {
    for (let i = 1; i < 8; i++) await pauseAfter();
    transport.streams.at(-1)?.fail(new RealtimeError('NETWORK_ERROR'));
    await jest.advanceTimersByTimeAsync(0);
    expect(connection.state).toBe('failed');
    expect(errors.map(({ willRetry }) => willRetry)).toEqual([...Array(7).fill(true), false]);
    expect(transport.streams).toHaveLength(8);

    connection.reopen();
    await jest.advanceTimersByTimeAsync(0);
    expect(await pauseAfter()).toBe(500);
  });

  it('are long without a network, unless it comes back', async () => {
    isOffline = true;
    transport.letIn();
    expect(await pauseAfter()).toBe(30_000);
    expect(states).toContain('suspended');
    expect(states).not.toContain('reconnecting');

    transport.streams.at(-1)?.fail(new RealtimeError('NETWORK_ERROR'));
    await jest.advanceTimersByTimeAsync(100);
    connection.onNetwork();
    await jest.advanceTimersByTimeAsync(0);
    expect(transport.streams).toHaveLength(3);
  });

  it('are not cut short by a page that is shown where the service has asked for them', async () => {
    transport.streams[0]?.fail(new RealtimeError('RATE_LIMIT_EXCEEDED', { retryAfterMs: 60_000 }));
    await jest.advanceTimersByTimeAsync(74_000);
    connection.resume();
    await jest.advanceTimersByTimeAsync(0);
    expect(transport.streams).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(transport.streams).toHaveLength(2);
  });
});
