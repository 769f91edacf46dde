import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RealtimeClient, StopRetrying, type TokenProvider, type TokenRequest } from '@sluice/sdk';
import {
  cursorAt,
  FaultServer,
  frames,
  refusal,
  status,
  stream,
} from '../../test/support/fault-server.js';
import { SubscriptionRecorder } from '../../test/support/subscription-recorder.js';
import { decodeToken } from '../token/index.js';

describe('a client that asks for its tokens', () => {
  let server: FaultServer;
  let seen: SubscriptionRecorder;
  let client: RealtimeClient | null;
  let asked: [TokenRequest['reason'], number][];

  beforeEach(async () => {
    server = await FaultServer.start();
    seen = new SubscriptionRecorder();
    client = null;
    asked = [];
  });
  afterEach(async () => {
    client?.close();
    await server.close();
  });

  const numbered: TokenProvider = ({ reason, attempt }) => {
    asked.push([reason, attempt]);
    return `t${asked.length}`;
  };

  function subscribe(getToken: TokenProvider) {
    client = new RealtimeClient({ endpoint: server.scripted, workspace: 'acme', getToken });
    client.subscribe(seen);
  }

  const sent = () =>
    server.requests.map(({ headers }) => [headers.authorization, headers['last-event-id']]);

  it('goes on with the next one before the old one ends, without a break', async () => {
    const expiring = { expiresAt: '2030-01-01T00:00:00Z' };
    server.script(
      stream(
        frames.connected(0),
        frames.event(1),
        frames.control('stream.token_expiring', expiring),
      ),
      stream(frames.connected(1, 'complete'), frames.event(2)),
    );
    subscribe(numbered);
    await seen.until(({ events }) => events.length === 2);
    expect(sent()).toEqual([
      ['Bearer t1', undefined],
      ['Bearer t2', cursorAt(1)],
    ]);
    expect(asked).toEqual([
      ['initial', 1],
      ['expiring', 1],
    ]);
    expect(seen.errors).toEqual([]);
    expect(seen.disconnected).toEqual([]);
  });

  it('asks once more after a refusal, and fails with the second one', async () => {
    server.script(refusal('INVALID_TOKEN', 401), refusal('INVALID_TOKEN', 401));
    subscribe(numbered);
    await seen.until(({ errors }) => errors.length === 2);
    expect(seen.errors).toMatchObject([
      { code: 'INVALID_TOKEN', willRetry: true },
      { code: 'INVALID_TOKEN', willRetry: false },
    ]);
    expect(asked).toEqual([
      ['initial', 1],
      ['rejected', 1],
    ]);
    expect(client?.state).toBe('failed');
  });

  it('fails where it gets the token again that was refused', async () => {
    server.script(refusal('INVALID_TOKEN', 401));
    subscribe(() => 't1');
    await seen.until(({ errors }) => errors.length === 2);
    expect(seen.errors[1]).toMatchObject({ code: 'INVALID_TOKEN', willRetry: false });
    expect(server.requests).toHaveLength(1);
  });

  it('asks again where it gets the token again that has ended, which is kept by a clock that is behind', async () => {
    server.script(refusal('TOKEN_EXPIRED', 401), stream(frames.connected(0)));
    subscribe(({ attempt, reason }) => (reason === 'expired' && attempt > 1 ? 't2' : 't1'));
    await seen.until(({ connected }) => connected.length === 1);
    expect(seen.errors).toMatchObject([
      { code: 'TOKEN_EXPIRED', willRetry: true },
      { code: 'TOKEN_PROVIDER_ERROR', willRetry: true },
    ]);
    expect(sent()).toEqual([
      ['Bearer t1', undefined],
      ['Bearer t2', undefined],
    ]);
  });

  it('goes on where its provider throws what a token helper throws', async () => {
    server.script(stream(frames.connected(0)));
    subscribe(({ attempt }) => {
      if (attempt === 1) decodeToken('no token');
      return 't1';
    });
    await seen.until(({ connected }) => connected.length === 1);
    expect(seen.errors).toMatchObject([{ code: 'TOKEN_PROVIDER_ERROR', willRetry: true }]);
    expect(seen.errors[0]?.cause).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('fails once its provider says stop, and goes on with setToken', async () => {
    server.script(stream(frames.connected(0)));
    subscribe(() => {
      throw new StopRetrying('signed out');
    });
    await seen.until(({ errors }) => errors.length === 1);
    expect(seen.errors).toMatchObject([
      { code: 'TOKEN_PROVIDER_ERROR', recoverable: false, willRetry: false },
    ]);
    client?.setToken('mine');
    await seen.until(({ connected }) => connected.length === 1);
    expect(sent()).toEqual([['Bearer mine', undefined]]);
  });

  it('goes on after its auth endpoint has failed', async () => {
    server.script(
      status(503, { 'retry-after': '0' }),
      status(200, { 'content-type': 'application/json' }, '{"token":"t1"}'),
      stream(frames.connected(0)),
    );
    client = new RealtimeClient({
      endpoint: server.scripted,
      workspace: 'acme',
      authEndpoint: server.scripted,
      authParams: ({ reason, attempt }) => ({ reason, attempt }),
      backoff: { baseMs: 1 },
    });
    client.subscribe(seen);
    await seen.until(({ connected }) => connected.length === 1);
    expect(seen.errors).toMatchObject([
      { code: 'TOKEN_PROVIDER_ERROR', status: 503, willRetry: true },
    ]);
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({ reason: 'initial', attempt: 2 });
  });
});
