import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Fault, FaultServer, status } from '../../test/support/fault-server.js';
import { type FetchLike, type FetchLikeInit, platformFetch } from '../http/fetch-like.js';
import { type AuthEndpoint, askAuthEndpoint } from './auth-endpoint.js';
import { RemoteCredentials } from './remote-credentials.js';
import type { TokenRequest } from './token-source.js';

const REQUEST: TokenRequest = {
  reason: 'expired',
  attempt: 2,
  signal: new AbortController().signal,
};

function json(body: unknown, code = 200): Fault {
  return status(code, { 'content-type': 'application/json' }, JSON.stringify(body));
}

describe('an auth endpoint', () => {
  let server: FaultServer;

  beforeEach(async () => {
    server = await FaultServer.start();
  });
  afterEach(() => server.close());

  const ask = (options: Partial<AuthEndpoint> = {}, fetch: FetchLike = platformFetch) =>
    askAuthEndpoint({ authEndpoint: server.scripted, ...options }, fetch, REQUEST);

  it('is asked by a POST with the parameters as JSON', async () => {
    server.script(json({ token: 't1', expiresAt: '2030-01-01T00:00:00Z' }));
    const authParams = { workspace: 'acme', roles: ['a', 'b'] };
    expect(await ask({ authParams, authHeaders: { 'X-CSRF': 'c1' } })).toEqual({
      token: 't1',
      expiresAt: '2030-01-01T00:00:00Z',
    });
    const { method, headers, body } = await server.request(1);
    expect(method).toBe('POST');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-csrf': 'c1' });
    expect(JSON.parse(body)).toEqual(authParams);
  });

  it('is asked by a GET with the parameters in the query, if that is wanted', async () => {
    server.script(json({ token: 't1' }));
    await ask({
      authEndpoint: `${server.scripted}?a=1`,
      authParams: { b: 'x&y', c: 2, left: undefined },
      authRequestOptions: { method: 'GET' },
    });
    const { method, url, body, headers } = await server.request(1);
    expect([method, url, body]).toEqual(['GET', '/scripted?a=1&b=x%26y&c=2', '']);
    expect(headers['content-type']).toBeUndefined();
  });

  it('is asked with what functions say, anew each time', async () => {
    server.script(json({ token: 't1' }), json({ token: 't2' }));
    let count = 0;
    const options: Partial<AuthEndpoint> = {
      authHeaders: async () => ({ 'x-count': String(++count) }),
      authParams: ({ reason, attempt }) => ({ reason, attempt }),
      authRequestOptions: () => ({ method: 'POST' }),
    };
    await ask(options);
    await ask(options);
    expect(server.requests.map(({ headers }) => headers['x-count'])).toEqual(['1', '2']);
    expect(JSON.parse(server.requests[1]?.body ?? '')).toEqual({ reason: 'expired', attempt: 2 });
  });

  it('gets headers of the application in place of those that are sent without them', async () => {
    server.script(json({ token: 't1' }));
    await ask({ authHeaders: { Accept: 'application/vnd.token' } });
    expect((await server.request(1)).headers.accept).toBe('application/vnd.token');
  });

  it('gets the cookies of the same origin alone, unless it is told otherwise', async () => {
    const inits: FetchLikeInit[] = [];
    const fetch: FetchLike = (url, init) => {
      inits.push(init);
      return platformFetch(url, init);
    };
    server.script(json({ token: 't1' }), json({ token: 't1' }));
    await ask({}, fetch);
    await ask({ authRequestOptions: { credentials: 'include', mode: 'cors' } }, fetch);
    expect(inits).toMatchObject([
      { credentials: 'same-origin', cache: 'no-store', redirect: 'manual' },
      { credentials: 'include', mode: 'cors' },
    ]);
    expect(inits[0]).not.toHaveProperty('mode');
  });

  it('may answer as a token endpoint does', async () => {
    server.script(json({ access_token: 't1', expires_in: 300 }), json({ access_token: 't1' }));
    const before = Date.now();
    const answer = (await ask()) as { token: string; expiresAt: string };
    expect(answer.token).toBe('t1');
    expect(Date.parse(answer.expiresAt) - before).toBeGreaterThanOrEqual(300_000);
    expect(Date.parse(answer.expiresAt) - Date.now()).toBeLessThanOrEqual(300_000);
    expect(await ask()).toEqual({ token: 't1' });
  });

  it('may answer with the bare token', async () => {
    server.script(status(201, { 'content-type': 'text/plain; charset=utf-8' }, 't1\n'));
    expect(await ask()).toBe('t1');
  });

  it.each([
    [301, false],
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [408, true],
    [429, true],
    [500, true],
    [503, true],
  ])('refuses with status %d, recoverable: %p', async (code, recoverable) => {
    server.script(status(code, { 'retry-after': '7' }));
    await expect(ask()).rejects.toMatchObject({
      code: 'TOKEN_PROVIDER_ERROR',
      status: code,
      recoverable,
      retryAfterMs: 7_000,
    });
  });

  it.each(['', 'null', '[]', '<p>Sign in, please</p>'])(
    'answers nothing of use with %j',
    async (body) => {
      server.script(status(200, { 'content-type': 'text/html' }, body));
      await expect(ask()).rejects.toMatchObject({ code: 'TOKEN_PROVIDER_ERROR', status: 200 });
    },
  );

  it('is not read beyond what a token can take', async () => {
    server.script(status(200, { 'content-type': 'text/plain' }, 'x'.repeat(70_000)));
    expect(await ask()).toBe('');
  });

  it('is not followed elsewhere, so that nobody else gets what was sent', async () => {
    const elsewhere = await FaultServer.start();
    try {
      server.script(status(307, { location: elsewhere.scripted }));
      await expect(ask()).rejects.toMatchObject({ recoverable: false });
      expect(elsewhere.requests).toHaveLength(0);
    } finally {
      await elsewhere.close();
    }
  });

  it('shows nothing of what it is sent in an error', async () => {
    const options: Partial<AuthEndpoint> = {
      authHeaders: { cookie: 'session=pässword' },
      authParams: { password: 'p1-secret' },
      authRequestOptions: { method: 'GET' },
    };
    const leaky: FetchLike = async (url, init) => {
      throw Object.assign(new Error(`${url} ${init.headers['cookie']}`), { init });
    };
    for (const fetch of [leaky, platformFetch]) {
      const headers = fetch === leaky ? options.authHeaders : { cookie: 'session=pässword\n€' };
      const error = await ask(
        { ...options, ...(headers && { authHeaders: headers }) },
        fetch,
      ).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'TOKEN_PROVIDER_ERROR', recoverable: true });
      const shown = inspect(error, { depth: 9, showHidden: true });
      expect(shown).not.toMatch(/pässword|p1-secret/);
    }
  });

  it.each([
    ['a line of its own', ' blanks \nand sécret '],
    ['a letter that does not fit', 'sécret€'],
    ['an end of the line', 'sécret\rx'],
  ])('is not asked with %s in a header, whose name alone is told', async (_, value) => {
    const fetch = jest.fn(platformFetch);
    const error = await ask({ authHeaders: { 'X-Session': value } }, fetch).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      code: 'TOKEN_PROVIDER_ERROR',
      message: 'The header "X-Session" has a value that cannot be sent',
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/s.cret/);
    expect(fetch).not.toHaveBeenCalled();
  });

  it('shows nothing of a body or a header in an error, and leaves the rest as it is', async () => {
    const fetch: FetchLike = async (url, { body }) => {
      const said = `${url} ${body}: pass"word, deep-secret and bearer x1, version 1`;
      throw new Error(said);
    };
    const error = await ask(
      {
        authHeaders: { authorization: ' bearer x1 ', 'x-version': '1' },
        authParams: { password: 'pass"word', deep: [{ token: 'deep-secret' }] },
      },
      fetch,
    ).catch((reason: unknown) => reason);
    expect((error as Error).cause).toMatchObject({
      message: `${server.scripted} [redacted]: [redacted], [redacted] and [redacted], version 1`,
    });
  });

  it('has an absolute address, where there is no page', async () => {
    await expect(ask({ authEndpoint: '/token' })).rejects.toMatchObject({
      code: 'TOKEN_PROVIDER_ERROR',
      recoverable: false,
      message: 'The auth endpoint has a relative address, which works in a page only',
    });
  });

  it('may have a relative address in a page, and in a worker of one', async () => {
    const fetch: FetchLike = async () => {
      throw new TypeError('offline');
    };
    for (const page of [
      { document: { baseURI: 'http://app/' } },
      { location: { href: 'http://app/' } },
    ]) {
      Object.assign(globalThis, page);
      try {
        const asked = ask({ authEndpoint: '/token' }, fetch);
        await expect(asked).rejects.toMatchObject({ recoverable: true });
      } finally {
        for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name);
      }
    }
  });

  describe('as RemoteCredentials', () => {
    it('is refused at once where it is wrong', () => {
      for (const url of ['', 'http://', 'http://user:password@host/', 7 as unknown as string]) {
        expect(() => RemoteCredentials(url)).toThrow(TypeError);
        expect(() => RemoteCredentials(url)).toThrow('"url" must be');
      }
      const method = 'PUT' as unknown as 'POST';
      expect(() => new RemoteCredentials('/token', undefined, { method })).toThrow(
        '"method" must be "GET" or "POST"',
      );
    });

    it('is asked for what a map takes out of the answer', async () => {
      server.script(json({ jwt: 't1' }), json({ data: { jwt: 't2' } }));
      expect(await RemoteCredentials(server.scripted, (body) => body['jwt'])(REQUEST)).toBe('t1');
      const nested = RemoteCredentials(
        server.scripted,
        (body: { data: { jwt: string } }) => body.data.jwt,
      );
      expect(await nested(REQUEST)).toBe('t2');
    });

    it('understands what an auth endpoint answers, and may be made with new', async () => {
      server.script(json({ token: 't1' }));
      const provider = new RemoteCredentials(server.scripted);
      expect(await provider(REQUEST)).toEqual({ token: 't1' });
    });

    it('is asked as its options say', async () => {
      server.script(json({ token: 't1' }));
      const options = { method: 'GET', headers: { 'x-app': '1' } } as const;
      await RemoteCredentials(server.scripted, undefined, options)(REQUEST);
      const { method, headers } = await server.request(1);
      expect([method, headers['x-app']]).toEqual(['GET', '1']);
    });

    it('is left when the signal aborts', async () => {
      server.script(() => {});
      const { signal, abort } = abortable();
      const pending = RemoteCredentials(server.scripted)({ ...REQUEST, signal });
      const failed = expect(pending).rejects.toMatchObject({ code: 'TOKEN_PROVIDER_ERROR' });
      const { over } = await server.request(1);
      abort();
      await Promise.all([failed, over]);
    });
  });
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
