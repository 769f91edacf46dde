import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import jsonwebtoken from 'jsonwebtoken';
import { ConfigError } from './config.js';
import { openIssuer } from './issuer/issuer.js';
import { createTokenIssuer, type TokenIssuer, type TokenResponseRequest } from './token-issuer.js';

const SECRET = 'q7Zk2vX9sLw4Tn8bRe1Ym5Ud3Hf6Jg0A';
const BY_SECRET = { JWT_SECRET: SECRET, TOKEN_ISSUER: 'urn:app', TOKEN_AUDIENCE: 'sluice' };
const REQUEST: TokenResponseRequest = {
  clientId: 'app',
  workspace: 'acme',
  permissions: ['subscribe', 'realtime:publish'],
};

let dataDir: string;
let issuer: TokenIssuer;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-token-issuer-'));
  issuer = createTokenIssuer({ settings: { DATA_DIR: dataDir } });
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const claimsOf = (token: string) => jsonwebtoken.decode(token, { json: true });

describe('createTokenIssuer', () => {
  it('makes tokens with the keys of the data folder', async () => {
    const { token, expiresAt } = await issuer.generateTokenResponse(REQUEST);
    const service = await openIssuer({ dataDir, issuer: '', audience: '', workspaceClaim: 'w' });
    const { header } = jsonwebtoken.decode(token, { complete: true }) ?? {};
    expect(header).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
    expect(service.jwks().keys.map(({ kid }) => kid)).toContain(header?.kid);
    const claims = claimsOf(token);
    expect(claims).toMatchObject({
      iss: 'urn:sluice:embedded',
      aud: 'sluice',
      sub: 'app',
      client_id: 'app',
      workspace: 'acme',
      permissions: ['realtime:subscribe', 'realtime:publish'],
    });
    expect((claims?.exp ?? 0) - (claims?.iat ?? 0)).toBe(900);
    expect(Date.parse(expiresAt)).toBe((claims?.exp ?? 0) * 1_000);
  });

  it('makes tokens with a shared secret', async () => {
    const bySecret = createTokenIssuer({ settings: BY_SECRET });
    const { token } = await bySecret.generateTokenResponse({ ...REQUEST, subject: 'alice' });
    expect(jsonwebtoken.verify(token, SECRET, { algorithms: ['HS256'] })).toMatchObject({
      iss: 'urn:app',
      sub: 'alice',
      client_id: 'app',
    });
  });

  it('grants on topics, by full names', async () => {
    const permissions = { orders: ['subscribe', 'publish'], 'user.*': ['realtime:subscribe'] };
    const { token } = await issuer.generateTokenResponse({ ...REQUEST, permissions });
    expect(claimsOf(token)).toMatchObject({
      permissions: {
        orders: ['realtime:subscribe', 'realtime:publish'],
        'user.*': ['realtime:subscribe'],
      },
    });
  });

  it('lives as long as a token may, where that is less than the usual life', async () => {
    const settings = { DATA_DIR: dataDir, TOKEN_MAX_LIFETIME_SECONDS: '600' };
    const { token } = await createTokenIssuer({ settings }).generateTokenResponse(REQUEST);
    const { iat, exp } = claimsOf(token) as { iat: number; exp: number };
    expect(exp - iat).toBe(600);
  });

  it('names several workspaces', async () => {
    const { workspace: _, ...request } = REQUEST;
    const { token } = await issuer.generateTokenResponse({ ...request, workspaces: ['a', 'b'] });
    expect(claimsOf(token)).toMatchObject({ workspaces: ['a', 'b'] });
  });

  it.each<[string, object]>([
    ['no client', { clientId: undefined }],
    ['a client that is no text', { clientId: 1 }],
    ['a client with a line break', { clientId: 'a\nb' }],
    ['an empty subject', { subject: '' }],
    ['a subject that is no text', { subject: {} }],
    ['no workspace', { workspace: undefined }],
    ['a workspace that is none', { workspace: '../acme' }],
    ['a workspace and several', { workspaces: ['acme'] }],
    ['workspaces that are no list', { workspace: undefined, workspaces: 'acme' }],
    ['no permissions', { permissions: undefined }],
    ['null for permissions', { permissions: null }],
    ['an empty list', { permissions: [] }],
    ['an empty object', { permissions: {} }],
    ['a text for permissions', { permissions: 'publish' }],
    ['an unknown permission', { permissions: ['everything'] }],
    ['a permission that is no text', { permissions: [['publish']] }],
    ['an unknown action on a topic', { permissions: { orders: ['everything'] } }],
    ['actions that are no list', { permissions: { orders: 'publish' } }],
    ['administration of a topic', { permissions: { orders: ['admin'] } }],
    ['what is no topic', { permissions: { 'a,b': ['publish'] } }],
    ['no lifetime', { expiresIn: 0 }],
    ['a broken lifetime', { expiresIn: 1.5 }],
    ['a lifetime that is a text', { expiresIn: '900' }],
    ['a lifetime beyond the longest', { expiresIn: 86_401 }],
  ])('refuses %s', async (_, change) => {
    const request = { ...REQUEST, ...change } as TokenResponseRequest;
    await expect(issuer.generateTokenResponse(request)).rejects.toMatchObject({
      name: 'SluiceError',
      code: 'INVALID_REQUEST',
    });
  });

  it.each([undefined, null, 'x'])('refuses %s for a request', async (request) => {
    await expect(issuer.generateTokenResponse(request as never)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });

  it('is UNAVAILABLE while the keys cannot be used, without a path, and recovers', async () => {
    const own = await mkdtemp(join(tmpdir(), 'sluice-token-issuer-'));
    const path = join(own, 'issuer');
    try {
      await writeFile(path, '');
      const waiting = createTokenIssuer({ settings: { DATA_DIR: own } });
      const failure = await waiting.generateTokenResponse(REQUEST).catch((error) => error);
      expect(failure).toMatchObject({ name: 'SluiceError', code: 'UNAVAILABLE' });
      expect(failure.message).not.toContain(own);
      await rm(path);
      await expect(waiting.generateTokenResponse(REQUEST)).resolves.toHaveProperty('token');
    } finally {
      await rm(own, { recursive: true });
    }
  });

  it.each([
    ['no options', undefined, TypeError],
    ['no settings', {}, TypeError],
    ['settings that cannot stand', { settings: { PORT: 'x' } }, ConfigError],
    [
      'a secret beside a key set',
      { settings: { ...BY_SECRET, JWKS_URI: 'https://a' } },
      ConfigError,
    ],
    [
      'an identity provider',
      { settings: { ...BY_SECRET, JWT_SECRET: '', JWKS_URI: 'https://id.example/jwks' } },
      TypeError,
    ],
    ['a claim that is taken', { settings: { ...BY_SECRET, WORKSPACE_CLAIM: 'sub' } }, TypeError],
  ])('is not made with %s', (_, options, error) => {
    expect(() => createTokenIssuer(options as never)).toThrow(error);
  });
});
