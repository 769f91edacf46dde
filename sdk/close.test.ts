import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';
import {
  FAULTS,
  FaultServer,
  frames,
  refusal,
  status,
  stream,
} from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

const TOKEN = { token: 't1' };
const CREDENTIALS = { clientId: 'a', clientSecret: 'b' };

describe('closing', () => {
  let server: FaultServer;
  let seen: SubscriptionRecorder;
  let abort: AbortController;

  beforeEach(async () => {
    // The client's timers alone: those of Node's own sockets and of its fetch go on.
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    jest.spyOn(Math, 'random').mockReturnValue(0.9);
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
    abort = new AbortController();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    jest.useRealTimers();
    await server.close();
  });

  function make(tokens: typeof TOKEN | typeof CREDENTIALS = TOKEN): RealtimeClient {
    const options: RealtimeClientOptions = {
      endpoint: server.scripted,
      workspace: 'acme',
      signal: abort.signal,
      ...tokens,
    };
    return new RealtimeClient(options);
  }

  const refused = (): Promise<void> => seen.until(({ errors }) => errors.length === 1);

  it.each([
    ['authorizing', CREDENTIALS, FAULTS['slow-head'], () => server.request(1)],
    ['connecting', TOKEN, FAULTS['slow-head'], () => server.request(1)],
    ['connected', TOKEN, FAULTS.stall, () => seen.until(({ connected }) => connected.length === 1)],
    ['reconnecting', TOKEN, status(503), refused],
    ['failed', TOKEN, refusal('TOKEN_EXPIRED', 401), refused],
  ] as const)(
    'leaves no timer, no listener and no socket when %s',
    async (state, tokens, fault, reach) => {
      const added = jest.spyOn(abort.signal, 'addEventListener');
      const removed = jest.spyOn(abort.signal, 'removeEventListener');
      server.script(fault);
      const client = make(tokens);
      const { ready } = client.subscribe(seen);
      await reach();
      expect(client.state).toBe(state);

      const calls = seen.errors.length + seen.connected.length;
      client.close();
      client.close();
      expect(client.state).toBe('closed');
      if (state !== 'connected') await expect(ready).rejects.toMatchObject({ code: 'CLOSED' });
      await (await server.request(1)).over;
      expect(jest.getTimerCount()).toBe(0);
      expect(added).toHaveBeenCalledTimes(1);
      expect(removed).toHaveBeenCalledWith('abort', added.mock.calls[0]?.[1] as EventListener);
      expect(seen.errors.length + seen.connected.length).toBe(calls);
      expect(seen.disconnected).toEqual([]);
      expect(server.requests).toHaveLength(1);
    },
  );

  it('refuses subscriptions from then on', () => {
    const client = make();
    client.close();
    expect(() => client.subscribe(seen)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  it('is what the abort of the signal does, also of one that has aborted before', async () => {
    server.script(FAULTS.stall);
    const client = make();
    await client.subscribe(seen).ready;
    abort.abort();
    expect(client.state).toBe('closed');
    await (await server.request(1)).over;
    expect(make().state).toBe('closed');
  });

  it('of one subscription leaves the other alone, and ends its callbacks in the middle of a chunk', async () => {
    server.script(stream(frames.connected(0), frames.event(1), frames.event(2)));
    const client = make();
    const other = new SubscriptionRecorder();
    client.subscribe(other);
    const subscription = client.subscribe({
      ...seen,
      onEvent: (event, context) => {
        seen.onEvent(event, context);
        subscription.unsubscribe();
      },
    });
    await other.until(({ events }) => events.length === 2);
    expect(seen.data).toEqual([1]);
    expect(seen.disconnected).toEqual([]);
    expect(client.state).toBe('connected');
    client.close();
  });
});

describe('unsubscribing from within onDisconnected', () => {
  it('keeps back the error that would come next', async () => {
    const server = await FaultServer.start();
    const client = new RealtimeClient({ endpoint: server.scripted, workspace: 'acme', token: 't' });
    const seen = new SubscriptionRecorder();
    server.script(stream(frames.connected(0), frames.error('FORBIDDEN')));
    const subscription = client.subscribe({
      ...seen,
      onDisconnected: (disconnection) => {
        subscription.unsubscribe();
        seen.onDisconnected(disconnection);
      },
    });
    await seen.until(({ disconnected }) => disconnected.length === 1);
    expect(seen.errors).toEqual([]);
    expect(client.state).toBe('idle');
    client.close();
    await server.close();
  });
});

describe('a client that is made and not used', () => {
  it('touches neither fetch nor timers', () => {
    const fetch = jest.spyOn(globalThis, 'fetch');
    const setTimeout = jest.spyOn(globalThis, 'setTimeout');
    new RealtimeClient({ endpoint: 'http://127.0.0.1:1', workspace: 'acme', token: 't' });
    expect(fetch).not.toHaveBeenCalled();
    expect(setTimeout).not.toHaveBeenCalled();
    jest.restoreAllMocks();
  });
});
