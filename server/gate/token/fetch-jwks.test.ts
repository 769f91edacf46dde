import { describe, expect, it } from '@jest/globals';
import { startJwksServer } from '../../../test/support/jwks-server.js';
import { createTestIssuer, type Jwks } from '../../../test/support/tokens.js';
import { fetchJwks } from './fetch-jwks.js';

describe('reading a JWK set', () => {
  it('gives the keys as they came', async () => {
    const issuer = await createTestIssuer();
    await using server = await startJwksServer(issuer.jwks);
    expect(await fetchJwks(server.url)).toEqual(JSON.parse(JSON.stringify(issuer.jwks())));
  });

  it('fails where the endpoint answers with an error', async () => {
    await using server = await startJwksServer(() => ({ keys: [] }));
    server.answer = 'error';
    await expect(fetchJwks(server.url)).rejects.toThrow('answered 500');
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
});
