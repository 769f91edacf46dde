import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type FetchLike, RealtimeClient, type RealtimeClientOptions } from '@sluice/sdk';

const WHERE = { endpoint: 'http://127.0.0.1:3000', workspace: 'acme' };

/** Options as a caller without types may give them. */
function make(options: Record<string, unknown>): RealtimeClient {
  return new RealtimeClient({ ...WHERE, ...options } as unknown as RealtimeClientOptions);
}

describe('the options of a client', () => {
  afterEach(() => {
    Reflect.deleteProperty(globalThis, 'document');
  });

  it.each<[RegExp, Record<string, unknown>]>([
    [/exactly one of "token".*: not none/, {}],
    [
      /not "token" and "clientId", "clientSecret"/,
      { token: 't', clientId: 'a', clientSecret: 'b' },
    ],
    [/not "token" and "tokenEndpoint"/, { token: 't', tokenEndpoint: 'http://x' }],
    [/"clientSecret" must be a text/, { clientId: 'a' }],
    [/"clientId" must be a text/, { tokenEndpoint: 'http://x' }],
    [/"tokenEndpoint" must be/, { clientId: 'a', clientSecret: 'b', tokenEndpoint: '/token' }],
    [/"token" must be a bearer token/, { token: '' }],
    [/"endpoint" must be an absolute/, { token: 't', endpoint: 'localhost:3000' }],
    [/"endpoint" must be .* without credentials/, { token: 't', endpoint: 'http://u:p@host' }],
    [/"endpoint" must be a URL without a query/, { token: 't', endpoint: 'http://host?x=1' }],
    [/"workspace"/, { token: 't', workspace: '../admin' }],
    [/"fetch"/, { token: 't', fetch: 'fetch' }],
    [/"heartbeatTimeoutMs"/, { token: 't', heartbeatTimeoutMs: 0 }],
    [
      /"backoff.baseMs" must be a number above 0, at most 30000/,
      { token: 't', backoff: { baseMs: 60_000 } },
    ],
    [/"backoff" must be left out/, { token: 't', backoff: {}, retryBackoff: {} }],
    [/"backoff" must be an object/, { token: 't', backoff: null }],
    [/"retryBackoff" must be an object/, { token: 't', retryBackoff: null }],
    [
      /"retryBackoff.ceilSeconds" must be a number above 0, at most 300/,
      { token: 't', retryBackoff: { ceilSeconds: 301 } },
    ],
    [
      /"retryBackoff.baseSeconds" must be a number above 0, at most 2/,
      { token: 't', retryBackoff: { baseSeconds: 3, ceilSeconds: 2 } },
    ],
    [/"suspendWhenHidden" must be a boolean/, { token: 't', suspendWhenHidden: 'yes' }],
    [/"queryToken" must be a boolean/, { token: 't', queryToken: null }],
    [/"signal" must be an AbortSignal/, { token: 't', signal: {} }],
    [/"crossTabKey" must be/, { token: 't', crossTabKey: 'ann' }],
    [/"crossTabKey" must be/, { token: 't', crossTab: 'shared', crossTabKey: '' }],
    [/"crossTabKey" must be/, { token: 't', crossTab: 'shared', crossTabKey: 'x'.repeat(257) }],
    [/"crossTabKey" must be/, { token: 't', crossTab: 'shared', crossTabKey: 7 }],
    [/"getToken" must be a function or a bearer token/, { getToken: 5 }],
    [/"maxAttempts"/, { token: 't', maxAttempts: 0 }],
    [/"transport"/, { token: 't', transport: 'websocket' }],
    [/"crossTab"/, { token: 't', crossTab: true }],
    [/"onError"/, { token: 't', onError: 'log' }],
    [/"backoff.ceilMs"/, { token: 't', backoff: { ceilMs: Number.NaN } }],
  ])('are refused with %p', (message, options) => {
    expect(() => make(options)).toThrow(message);
    expect(() => make(options)).toThrow(TypeError);
  });

  it('do not repeat a token that is refused', () => {
    const token = 'secret\ntoken';
    for (const attempt of [() => make({ token }), () => make({ token: 't' }).setToken(token)]) {
      expect(attempt).toThrow(TypeError);
      expect(attempt).not.toThrow(/secret/);
    }
  });

  it('refuse client credentials in a browser', () => {
    Object.assign(globalThis, { document: {} });
    expect(() => make({ clientId: 'a', clientSecret: 'b' })).toThrow(
      /must be left out in a browser/,
    );
    expect(make({ token: 't' }).state).toBe('idle');
  });

  it('leave nothing of a secret to be seen on the client', () => {
    const shown = inspect(make({ clientId: 'a', clientSecret: 'hidden' }), {
      depth: 9,
      showHidden: true,
    });
    expect(shown).not.toContain('hidden');
  });

  it('may be given as undefined, each that may be left out', () => {
    const options: RealtimeClientOptions = {
      ...WHERE,
      transport: undefined,
      queryToken: undefined,
      crossTab: undefined,
      crossTabKey: undefined,
      fetch: undefined,
      backoff: { baseMs: undefined, ceilMs: undefined },
      retryBackoff: undefined,
      maxAttempts: undefined,
      heartbeatTimeoutMs: undefined,
      suspendWhenHidden: undefined,
      signal: undefined,
      onError: undefined,
      token: undefined,
      getToken: () => ({ token: 't', expiresAt: undefined }),
      authHeaders: undefined,
    };
    expect(new RealtimeClient(options).state).toBe('idle');
  });

  it('are held apart by their types', () => {
    const credentials = { clientId: 'a', clientSecret: 'b' };
    // @ts-expect-error: no way of getting a token
    expect(() => new RealtimeClient(WHERE)).toThrow(TypeError);
    // @ts-expect-error: two ways of getting a token
    expect(() => new RealtimeClient({ ...WHERE, ...credentials, token: 't' })).toThrow(TypeError);
    // @ts-expect-error: half a way of getting a token
    expect(() => new RealtimeClient({ ...WHERE, clientId: 'a' })).toThrow(TypeError);
    const platform: FetchLike = fetch;
    expect(new RealtimeClient({ ...WHERE, ...credentials, fetch: platform }).state).toBe('idle');
  });
});

describe('the options of a subscription', () => {
  const callbacks = { onEvent: () => {}, onError: () => {}, onConnected: () => {} };

  it.each<[string, Record<string, unknown>]>([
    ['onError', { onError: 'log' }],
    ['onGap', { onGap: 1 }],
    ['topics', { topics: [] }],
    ['topics', { topics: 'orders' }],
    ['topics', { topics: ['a,b'] }],
    ['types', { types: Array.from({ length: 101 }, (_, i) => `t${i}`) }],
    ['lastEventId', { lastEventId: 'häh' }],
    ['maxBufferedEvents', { maxBufferedEvents: 0 }],
  ])('are refused where "%s" is wrong', (name, options) => {
    const client = make({ token: 't' });
    expect(() => client.subscribe({ ...callbacks, ...options })).toThrow(`"${name}"`);
    expect(client.state).toBe('idle');
  });
});
