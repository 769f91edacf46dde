import { describe, expect, it } from '@jest/globals';
import { type JwksAnswer, startJwksServer } from '../../test/support/jwks-server.js';
import { createTestIssuer, type Jwks } from '../../test/support/tokens.js';
import { fetchJwks } from './fetch-jwks.js';

describe('reading a JWK set', () => {
  it('gives the keys as they came', async () => {
    const issuer = await createTestIssuer();
    await using server = await startJwksServer(issuer.jwks);
    expect(await fetchJwks(server.url)).toEqual(JSON.parse(JSON.stringify(issuer.jwks())));
  });

  it.each<[JwksAnswer, RegExp]>([
    ['down', /fetch failed/],
    ['redirect', /fetch failed/],
    ['error', /answered 500/],
    ['html', /JSON/],
  ])('fails where the endpoint answers "%s"', async (answer, words) => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = answer;
    await expect(fetchJwks(server.url)).rejects.toThrow(words);
    expect(server.calls.items).toHaveLength(1);
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['a list', []],
    ['an object without keys', { key: [] }],
    ['a text', 'keys'],
  ])('fails where the document is %s', async (_, document) => {
    await using server = await startJwksServer(() => document as Jwks);
    await expect(fetchJwks(server.url)).rejects.toThrow('did not answer with a JWK set');
  });

  it.each<JwksAnswer>(['stall', 'slow'])(
    'gives up on an endpoint that is "%s" at its deadline',
    async (answer) => {
      await using server = await startJwksServer(() => ({ keys: [] }));
      server.answer = answer;
      const startedAt = performance.now();
      await expect(fetchJwks(server.url, 200)).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      await server.abandoned.find((left) => left === answer);
    },
  );

  it('leaves a set of 200 MB where it becomes too large', async () => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = 'huge';
    const before = process.memoryUsage().arrayBuffers;
    await expect(fetchJwks(server.url)).rejects.toThrow('too large');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
    await server.abandoned.find((answer) => answer === 'huge');
  });
});
