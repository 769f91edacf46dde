import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FaultServer, status, tokenAnswer } from '../../test/support/fault-server.js';
import { type FetchLike, platformFetch } from '../http/fetch-like.js';
import { ClientCredentials } from './client-credentials.js';

const SECRET = 'pässword: with+all%';

describe('client credentials', () => {
  let server: FaultServer;
  const { signal } = new AbortController();

  beforeEach(async () => {
    server = await FaultServer.start();
  });
  afterEach(() => server.close());

  function fetchToken(fetch: FetchLike = platformFetch) {
    const source = new ClientCredentials({
      tokenEndpoint: server.scripted,
      clientId: 'bück end',
      clientSecret: SECRET,
      fetch,
    });
    return source.fetch({ reason: 'initial', attempt: 1, signal });
  }

  it('asks as RFC 6749 says, and reads token and life', async () => {
    server.script(tokenAnswer('t1', 300));
    expect(await fetchToken()).toEqual({ value: 't1', lifetimeMs: 300_000 });
    const { method, headers, body } = await server.request(1);
    expect(method).toBe('POST');
    expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(body).toBe('grant_type=client_credentials');
    const basic = Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64');
    expect(basic.toString()).toBe('b%C3%BCck+end:p%C3%A4ssword%3A+with%2Ball%25');
  });

  it.each([
    [301, false],
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [429, true],
    [500, true],
    [503, true],
  ])(
    'takes a status %d for an error of the provider, recoverable: %p',
    async (code, recoverable) => {
      server.script(
        status(code, { 'content-type': 'application/json' }, '{"error":"invalid_client"}'),
      );
      await expect(fetchToken()).rejects.toMatchObject({
        code: 'TOKEN_PROVIDER_ERROR',
        status: code,
        recoverable,
      });
    },
  );

  it.each(['', '[]', '{}', '{"access_token":""}', '{"access_token":"two words"}'])(
    'does not take %j for a token',
    async (body) => {
      server.script(status(200, { 'content-type': 'application/json' }, body));
      await expect(fetchToken()).rejects.toMatchObject({ code: 'TOKEN_PROVIDER_ERROR' });
    },
  );

  it('follows no redirect, so that the secret goes nowhere else', async () => {
    const elsewhere = await FaultServer.start();
    try {
      server.script(status(307, { location: elsewhere.scripted }));
      await expect(fetchToken()).rejects.toMatchObject({ recoverable: false });
      expect(elsewhere.requests).toHaveLength(0);
    } finally {
      await elsewhere.close();
    }
  });

  it('shows the secret in no error', async () => {
    const leaky: FetchLike = async (_, { headers }) => {
      throw Object.assign(new Error(`${SECRET} ${headers['authorization']}`), { headers });
    };
    const error: unknown = await fetchToken(leaky).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TOKEN_PROVIDER_ERROR', recoverable: true });
    const basic = Buffer.from('b%C3%BCck+end:p%C3%A4ssword%3A+with%2Ball%25').toString('base64');
    const shown = inspect(error, { depth: 9, showHidden: true });
    expect(shown).toContain('[redacted]');
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain(basic);
  });
});
