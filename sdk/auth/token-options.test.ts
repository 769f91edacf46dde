import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { FaultServer, status, tokenAnswer } from '../../test/support/fault-server.js';
import { platformFetch } from '../http/fetch-like.js';
import type { TokenProvider } from './provided-token.js';
import { type TokenOptions, tokenSourceOf } from './token-options.js';
import type { TokenRequest } from './token-source.js';

const SERVICE_ACCOUNT = { clientId: 'a', clientSecret: 'hidden' };
const ONE_OF =
  'give exactly one of "token", "authToken", "getToken", "clientId", "authEndpoint", "authAction", "onAuthFailure": not ';

/** Options as a caller without types may give them. */
function sourceOf(options: Record<string, unknown>, endpoint = () => 'http://127.0.0.1:1') {
  const given = { workspace: 'acme', ...options } as unknown as TokenOptions & {
    workspace: string;
  };
  return tokenSourceOf(given, endpoint, platformFetch);
}

const { signal } = new AbortController();
const because = (reason: TokenRequest['reason']): TokenRequest => ({ reason, attempt: 1, signal });

describe('the ways of getting a token', () => {
  const ask = jest.fn<TokenProvider>(async ({ reason }) => `for-${reason}`);

  afterEach(() => {
    ask.mockClear();
    for (const name of ['document', 'WorkerGlobalScope', 'location']) {
      Reflect.deleteProperty(globalThis, name);
    }
  });

  it.each<[string, Record<string, unknown>]>([
    [`${ONE_OF}none`, {}],
    [`${ONE_OF}none`, { token: undefined }],
    [`${ONE_OF}"token" and "getToken"`, { token: 't', getToken: ask }],
    ['not "authToken" and "getToken"', { authToken: ask, getToken: ask }],
    ['not "token" and "clientId", "clientSecret"', { token: 't', ...SERVICE_ACCOUNT }],
    ['not "token" and "tokenEndpoint"', { token: 't', tokenEndpoint: 'http://x' }],
    ['not "token" and "authHeaders", "au', { token: 't', authHeaders: {}, authParams: {} }],
    [
      'not "authEndpoint" and "authAction" and "onAuthFailure"',
      { authEndpoint: '/token', authAction: ask, onAuthFailure: ask, token: 't' },
    ],
    ['"clientSecret" must be a text', { clientId: 'a' }],
    ['"clientSecret" must be a text', { clientId: 'a', clientSecret: '' }],
    ['"clientId" must be a text', { tokenEndpoint: 'http://x' }],
    ['"tokenEndpoint" must be', { ...SERVICE_ACCOUNT, tokenEndpoint: '/token' }],
    ['"authEndpoint" must be', { authHeaders: {} }],
    ['"authEndpoint" must be', { authEndpoint: '' }],
    ['"authEndpoint" must be', { authEndpoint: 'http://' }],
    ['"authEndpoint" must be', { authEndpoint: 7 }],
    ['"authEndpoint" must be', { authEndpoint: 'javascript:alert(1)' }],
    ['"authEndpoint" must be', { authEndpoint: 'http://user:password@host/' }],
    ['"authEndpoint" must be', { authEndpoint: '/token#part' }],
    ['"authAction" must be a function', { authAction: 't' }],
    ['"onAuthFailure" must be a function', { onAuthFailure: 't' }],
    ['"token" must be a bearer token', { token: '' }],
    ['"token" must be a bearer token', { token: ask }],
    ['"token" must be a bearer token', { token: 'two words', onAuthFailure: ask }],
    ['"authToken" must be a function or a bearer token', { authToken: 7 }],
    ['"getToken" must be a function or a bearer token', { getToken: 'two words' }],
  ])('are refused with %j', (message, options) => {
    expect(() => sourceOf(options)).toThrow(message);
    expect(() => sourceOf(options)).toThrow(TypeError);
  });

  it.each(['token', 'authToken', 'getToken'])('are one token as "%s"', async (name) => {
    const source = sourceOf({ [name]: 't1' });
    expect(source.canRenew).toBe(false);
    expect(await source.fetch(because('initial'))).toMatchObject({ value: 't1' });
  });

  it.each(['authToken', 'getToken'])('are a function as "%s"', async (name) => {
    const source = sourceOf({ [name]: ask });
    expect(source).toMatchObject({ canRenew: true, renewsAhead: true });
    expect(await source.fetch(because('expiring'))).toMatchObject({ value: 'for-expiring' });
    expect(ask).toHaveBeenCalledWith(because('expiring'));
  });

  it('are a server action, which is told what can travel alone', async () => {
    const source = sourceOf({ authAction: ask });
    expect(await source.fetch(because('resume'))).toMatchObject({ value: 'for-resume' });
    expect(ask.mock.calls).toEqual([[{ workspace: 'acme', reason: 'resume', attempt: 1 }]]);
    expect(structuredClone(ask.mock.calls[0]?.[0])).toEqual(ask.mock.calls[0]?.[0]);
  });

  it('are a function that is asked after a refusal, with a first token or without', async () => {
    const source = sourceOf({ token: 't1', onAuthFailure: ask });
    expect(source).toMatchObject({ canRenew: true, renewsAhead: false });
    expect(await source.fetch(because('initial'))).toMatchObject({ value: 't1' });
    expect(ask).not.toHaveBeenCalled();
    expect(await source.fetch(because('rejected'))).toMatchObject({ value: 'for-rejected' });
    const alone = sourceOf({ onAuthFailure: ask });
    expect(await alone.fetch(because('initial'))).toMatchObject({ value: 'for-initial' });
  });

  it.each([{ document: {} }, { WorkerGlobalScope: class {}, location: {} }])(
    'are no client credentials in a browser, which has %j',
    (scope) => {
      Object.assign(globalThis, scope);
      expect(() => sourceOf(SERVICE_ACCOUNT)).toThrow('must be left out in a browser');
      expect(() => sourceOf({ ...SERVICE_ACCOUNT, dangerouslyAllowBrowser: 1 })).toThrow('browser');
      expect(sourceOf({ ...SERVICE_ACCOUNT, dangerouslyAllowBrowser: true }).canRenew).toBe(true);
      expect(sourceOf({ token: 't' }).canRenew).toBe(false);
    },
  );

  it('show no secret', () => {
    const sources = [
      sourceOf(SERVICE_ACCOUNT),
      sourceOf({ token: 'hidden' }),
      sourceOf({ token: 'hidden', onAuthFailure: ask }),
      sourceOf({ authEndpoint: '/token', authHeaders: { cookie: 'hidden' } }),
    ];
    expect(inspect(sources, { depth: 9, showHidden: true })).not.toContain('hidden');
    expect(JSON.stringify(sources)).not.toContain('hidden');
  });

  describe('over the network', () => {
    let server: FaultServer;

    beforeEach(async () => {
      server = await FaultServer.start();
    });
    afterEach(() => server.close());

    it('are client credentials, from where the client is now', async () => {
      server.script(tokenAnswer('t1'));
      let endpoint = 'http://127.0.0.1:1';
      const source = sourceOf(SERVICE_ACCOUNT, () => endpoint);
      endpoint = server.scripted;
      expect(await source.fetch(because('initial'))).toMatchObject({ value: 't1' });
      expect((await server.request(1)).url).toBe('/scripted/oauth/token');
    });

    it('are client credentials, from a token endpoint of their own', async () => {
      server.script(tokenAnswer('t1'));
      const source = sourceOf({ ...SERVICE_ACCOUNT, tokenEndpoint: server.scripted });
      expect(await source.fetch(because('initial'))).toMatchObject({ value: 't1' });
    });

    it('are an auth endpoint', async () => {
      server.script(status(200, { 'content-type': 'application/json' }, '{"token":"t1"}'));
      const source = sourceOf({ authEndpoint: server.scripted, authParams: { a: 1 } });
      expect(source).toMatchObject({ canRenew: true, renewsAhead: true });
      expect(await source.fetch(because('initial'))).toMatchObject({ value: 't1' });
      expect((await server.request(1)).body).toBe('{"a":1}');
    });
  });

  it('are held apart by their types', () => {
    const accepted: TokenOptions[] = [
      { token: 't' },
      { authToken: 't' },
      { getToken: ask },
      { getToken: () => ({ token: 't', expiresAt: '2030-01-01T00:00:00Z' }) },
      { ...SERVICE_ACCOUNT, dangerouslyAllowBrowser: true },
      { authEndpoint: '/token', authHeaders: async () => ({ a: 'b' }) },
      { authAction: async ({ workspace }) => workspace },
      { onAuthFailure: ask },
      { onAuthFailure: ask, token: 't' },
    ];
    const refused: TokenOptions[] = [
      // @ts-expect-error: no way
      {},
      // @ts-expect-error: two ways
      { token: 't', getToken: ask },
      // @ts-expect-error: two ways
      { authToken: ask, getToken: ask },
      // @ts-expect-error: two ways
      { ...SERVICE_ACCOUNT, token: 't' },
      // @ts-expect-error: two ways
      { authEndpoint: '/token', onAuthFailure: ask },
      // @ts-expect-error: half a way
      { clientId: 'a' },
      // @ts-expect-error: part of another way
      { token: 't', authHeaders: {} },
      // @ts-expect-error: a server action gets no signal
      { authAction: ({ signal }) => String(signal) },
    ];
    expect(accepted).toHaveLength(9);
    expect(refused).toHaveLength(8);
  });
});
