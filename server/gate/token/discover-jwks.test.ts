import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JwksServer, startJwksServer } from '../../../test/support/jwks-server.js';
import { createTestIssuer, type TestIssuer } from '../../../test/support/tokens.js';
import { discoverJwks } from './discover-jwks.js';

const OPENID = '/.well-known/openid-configuration';
const OAUTH = '/.well-known/oauth-authorization-server';

let testIssuer: TestIssuer;
let server: JwksServer;
let issuer: string;

beforeEach(async () => {
  testIssuer = await createTestIssuer();
  server = await startJwksServer(testIssuer.jwks);
  issuer = new URL(server.url).origin;
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const metadata = (changes: Record<string, unknown> = {}) => ({
  issuer,
  jwks_uri: server.url,
  ...changes,
});
const published = () => JSON.parse(JSON.stringify(testIssuer.jwks())) as unknown;

describe('the discovery of keys', () => {
  it('follows the metadata of an OpenID provider', async () => {
    server.metadata.set(OPENID, metadata());
    expect(await discoverJwks(issuer)).toEqual(published());
    expect(server.metadataCalls).toEqual([OPENID]);
  });

  it('follows the metadata of an authorization server where there is no OpenID provider', async () => {
    server.metadata.set(OAUTH, metadata());
    expect(await discoverJwks(issuer)).toEqual(published());
    expect(server.metadataCalls).toEqual([OPENID, OAUTH]);
  });

  it('puts the path of an issuer before or behind the well-known one, as each standard says', async () => {
    const issuers = [`${issuer}/realms/one`, `${issuer}/realms/one/`];
    for (const named of issuers) {
      server.metadata.set(`${OAUTH}/realms/one`, metadata({ issuer: named }));
      expect(await discoverJwks(named)).toEqual(published());
    }
    const asked = [`/realms/one${OPENID}`, `${OAUTH}/realms/one`];
    expect(server.metadataCalls).toEqual([...asked, ...asked]);
  });

  it('reads the metadata anew each time', async () => {
    server.metadata.set(OPENID, metadata({ jwks_uri: `${issuer}/old` }));
    await discoverJwks(issuer);
    server.metadata.set(OPENID, metadata({ issuer: 'https://other.test' }));
    await expect(discoverJwks(issuer)).rejects.toThrow('another issuer');
  });

  it.each<[string, () => unknown, RegExp]>([
    ['of another issuer', () => metadata({ issuer: 'https://evil.test' }), /another issuer/],
    ['of the issuer with a slash', () => metadata({ issuer: `${issuer}/` }), /another issuer/],
    ['of nobody', () => metadata({ issuer: undefined }), /another issuer/],
    ['a list', () => [], /another issuer/],
    ['null', () => null, /not a JSON object/],
    ['without an address', () => metadata({ jwks_uri: undefined }), /safe to ask/],
    ['with an address that is none', () => metadata({ jwks_uri: '/jwks' }), /safe to ask/],
    ['with a file', () => metadata({ jwks_uri: 'file:///etc/passwd' }), /safe to ask/],
    ['with plain http elsewhere', () => metadata({ jwks_uri: 'http://id.test/' }), /safe to ask/],
  ])('fails where the metadata are %s', async (_, document, words) => {
    server.metadata.set(OPENID, document());
    server.metadata.set(OAUTH, metadata());
    await expect(discoverJwks(issuer)).rejects.toThrow(words);
    // What another document says does not count where this one is wrong.
    expect(server.metadataCalls).toEqual([OPENID]);
    expect(server.calls.items).toHaveLength(0);
  });

  it('fails where there are no metadata at all', async () => {
    await expect(discoverJwks(issuer)).rejects.toThrow('publishes no metadata');
  });

  it('ends at one deadline for all of it', async () => {
    server.metadata.set(OPENID, metadata());
    server.answer = 'stall';
    await expect(discoverJwks(issuer, 200)).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
