import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ProvidedToken, type TokenAnswer } from './provided-token.js';

describe('a token provider', () => {
  const { signal } = new AbortController();
  const fetchToken = (answer: unknown) =>
    new ProvidedToken(async () => answer as TokenAnswer).fetch({
      reason: 'initial',
      attempt: 1,
      signal,
    });

  it('gives a token, at once or later', async () => {
    expect(await fetchToken('t1')).toEqual({ value: 't1', lifetimeMs: null });
    const request = { reason: 'initial', attempt: 1, signal } as const;
    expect(await new ProvidedToken(() => 't1').fetch(request)).toMatchObject({ value: 't1' });
  });

  it('may say when it ends', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { value, lifetimeMs } = await fetchToken({ token: 't1', expiresAt });
    expect(value).toBe('t1');
    expect(lifetimeMs).toBeGreaterThan(3_590_000);
    expect(lifetimeMs).toBeLessThanOrEqual(3_600_000);
    expect(await fetchToken({ token: 't1', expiresAt: 'soon' })).toMatchObject({
      lifetimeMs: null,
    });
  });

  it.each([
    undefined,
    null,
    '',
    7,
    {},
    { token: null },
    { token: { secret: 'sécret' } },
    'Bearer sécret',
    'sécret\r\nx-header: 1',
  ])('that gives %j is told so, without what it gave', async (answer) => {
    const error = await fetchToken(answer).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'TOKEN_PROVIDER_ERROR',
      recoverable: true,
      message: 'The token provider gave no bearer token',
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('sécret');
  });
});
