import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RealtimeClient, type RealtimeError } from '@sluice/sdk';
import {
  cursorAt,
  FAULTS,
  type Fault,
  FaultServer,
  frames,
  refusal,
  status,
  stream,
} from '../test/support/fault-server.js';
import { SubscriptionRecorder } from '../test/support/subscription-recorder.js';

describe('setToken', () => {
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
      // Long: whoever reconnects in these tests does so because of setToken.
      backoff: { baseMs: 300_000, ceilMs: 300_000 },
    });
    jest.spyOn(Math, 'random').mockReturnValue(0.9);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    client.close();
    await server.close();
  });

  const sent = (): [token: string | undefined, cursor: unknown][] =>
    server.requests.map(({ headers }) => [headers.authorization, headers['last-event-id']]);

  /** Subscribes by the classic recipe: a new token when the old one has run out. */
  function subscribeByRecipe(fetchServiceAccountToken: () => Promise<string>) {
    return client.subscribe({
      ...seen,
      onError: async (error: RealtimeError) => {
        seen.onError(error);
        if (error.code === 'TOKEN_EXPIRED') client.setToken(await fetchServiceAccountToken());
      },
    });
  }

  it('answers a token that runs out in the stream: one new token, one reconnect, no event lost or doubled', async () => {
    server.script(
      stream(frames.connected(0), frames.event(1), frames.event(2), frames.error('TOKEN_EXPIRED')),
      stream(frames.connected(2, 'complete'), frames.event(2), frames.event(3)),
    );
    const fetchToken = jest.fn(async () => 't2');
    subscribeByRecipe(fetchToken);
    await seen.until(({ events }) => events.length === 3);
    expect(seen.data).toEqual([1, 2, 3]);
    expect(fetchToken).toHaveBeenCalledTimes(1);
    expect(seen.errors).toMatchObject([
      { code: 'TOKEN_EXPIRED', recoverable: true, willRetry: false },
    ]);
    expect(sent()).toEqual([
      ['Bearer t1', undefined],
      ['Bearer t2', cursorAt(2)],
    ]);
  });

  it('answers a token that has run out before: ready waits for the new one', async () => {
    server.script(refusal('TOKEN_EXPIRED', 401), stream(frames.connected(0)));
    await subscribeByRecipe(async () => 't2').ready;
    expect(client.state).toBe('connected');
    expect(server.requests).toHaveLength(2);
  });

  it('may be called from within onError', async () => {
    server.script(refusal('INVALID_TOKEN', 401), stream(frames.connected(0)));
    client.subscribe({ ...seen, onError: () => client.setToken('t2') });
    await seen.until(({ connected }) => connected.length === 1);
    expect(client.state).toBe('connected');
  });

  it('renews a healthy stream without a flicker: the old one is left once the new one is let in', async () => {
    server.script(
      stream(frames.connected(0), frames.event(1)),
      stream(frames.connected(1, 'complete'), frames.event(2)),
    );
    client.subscribe(seen);
    await seen.until(({ events }) => events.length === 1);
    client.setToken('t2');
    await seen.until(({ events }) => events.length === 2);
    await (await server.request(1)).over;
    expect(sent()[1]).toEqual(['Bearer t2', cursorAt(1)]);
    expect(seen.errors).toEqual([]);
    expect(seen.connected).toHaveLength(1);
    expect(seen.disconnected).toEqual([]);
  });

  it('ends a pause between attempts', async () => {
    server.script(status(503), stream(frames.connected(0)));
    client.subscribe(seen);
    await seen.until(({ errors }) => errors.length === 1);
    expect(client.state).toBe('reconnecting');
    client.setToken('t2');
    await seen.until(({ connected }) => connected.length === 1);
    expect(server.requests).toHaveLength(2);
  });

  it('takes the place of an attempt that is under way', async () => {
    server.script(FAULTS['slow-head'], stream(frames.connected(0)));
    client.subscribe(seen);
    await server.request(1);
    client.setToken('t2');
    await seen.until(({ connected }) => connected.length === 1);
    await (await server.request(1)).over;
    expect(seen.errors).toEqual([]);
  });

  it('keeps the rest of a chunk from being handed on twice when called from within onEvent', async () => {
    server.script(
      stream(frames.connected(0), frames.event(1), frames.event(2)),
      stream(frames.connected(2, 'complete'), frames.event(2)),
    );
    client.subscribe({
      ...seen,
      onEvent: (event, context) => {
        seen.onEvent(event, context);
        if (event.data === 1) client.setToken('t2');
      },
    });
    await seen.until(({ events }) => events.length === 2);
    await (await server.request(1)).over;
    expect(seen.data).toEqual([1, 2]);
  });

  it('does nothing without a subscription but for the next one, and nothing at all once closed', async () => {
    server.script(stream(frames.connected(0)));
    client.setToken('t2');
    expect(client.state).toBe('idle');
    await client.subscribe(seen).ready;
    expect(sent()).toEqual([['Bearer t2', undefined]]);
    client.close();
    client.setToken('t3');
    expect(client.state).toBe('closed');
  });

  it('keeps the live stream while the new one cannot be had', async () => {
    let live: ServerResponse | undefined;
    server.script(
      (response) => {
        live = response;
        stream(frames.connected(0))(response, response.req);
      },
      status(503, { 'retry-after': '300' }),
    );
    await client.subscribe(seen).ready;
    client.setToken('t2');
    await server.request(2);
    live?.write(frames.event(1));
    await seen.until(({ events }) => events.length === 1);
    expect(client.state).toBe('connected');
    expect(seen.errors).toEqual([]);
  });

  it('ends the live stream where the new token is refused', async () => {
    server.script(stream(frames.connected(0)), refusal('INVALID_TOKEN', 401));
    await client.subscribe(seen).ready;
    client.setToken('t2');
    await seen.until(({ errors }) => errors.length === 1);
    expect(seen.errors).toMatchObject([{ code: 'INVALID_TOKEN', willRetry: false }]);
    expect(seen.disconnected).toEqual([false]);
    expect(client.state).toBe('failed');
    await (await server.request(1)).over;
  });

  it('says nothing of the old token that ends while the new stream is on its way', async () => {
    let live: ServerResponse | undefined;
    let next: ServerResponse | undefined;
    server.script(
      (response) => {
        live = response;
        stream(frames.connected(0))(response, response.req);
      },
      (response) => {
        next = response;
      },
    );
    await client.subscribe(seen).ready;
    client.setToken('t2');
    await server.request(2);
    live?.write(frames.error('TOKEN_EXPIRED'));
    await seen.until(({ disconnected }) => disconnected.length === 1);
    expect(client.state).toBe('connecting');
    if (next !== undefined) stream(frames.connected(0, 'complete'))(next, next.req);
    await seen.until(({ connected }) => connected.length === 2);
    expect(seen.errors).toEqual([]);
    expect(seen.disconnected).toEqual([true]);
  });

  it('does nothing with the token that the client has', async () => {
    server.script(stream(frames.connected(0)), stream(frames.connected(0)));
    await client.subscribe(seen).ready;
    client.setToken('t1');
    client.setToken('t2');
    await server.request(2);
    expect(sent().map(([token]) => token)).toEqual(['Bearer t1', 'Bearer t2']);
  });

  it('pauses between tokens that are refused one after another', async () => {
    server.script(...Array<Fault>(3).fill(refusal('TOKEN_EXPIRED', 401)));
    let token = 1;
    client.subscribe({
      ...seen,
      onError: (error) => {
        seen.onError(error);
        client.setToken(`t${++token}`);
      },
    });
    await seen.until(({ errors }) => errors.length === 2);
    expect(client.state).toBe('reconnecting');
    await new Promise(setImmediate);
    expect(server.requests).toHaveLength(2);
  });
});

describe('updateEndpoint', () => {
  it('moves to another address at the cursor, with another token, and refuses what is no address', async () => {
    const [one, two] = [await FaultServer.start(), await FaultServer.start()];
    const seen = new SubscriptionRecorder();
    const client = new RealtimeClient({ endpoint: one.scripted, workspace: 'acme', token: 't1' });
    one.script(stream(frames.connected(0), frames.event(1)));
    two.script(stream(frames.connected(1, 'complete'), frames.event(2)));
    client.subscribe(seen);
    await seen.until(({ events }) => events.length === 1);
    client.updateEndpoint({ baseUrl: two.scripted, token: 't2' });
    await seen.until(({ events }) => events.length === 2);
    await (await one.request(1)).over;
    expect(two.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer t2',
      'last-event-id': cursorAt(1),
    });
    expect(seen.disconnected).toEqual([]);
    expect(() => client.updateEndpoint({ baseUrl: '/elsewhere' })).toThrow(/"baseUrl" must be/);
    client.close();
    await one.close();
    await two.close();
  });
});
