import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AUTH_TOKEN_PATH,
  AUTH_VERIFY_PATH,
  JWKS_PATH,
  METADATA_PATH,
  PERMISSIONS,
  TOKEN_PATH,
} from '@sluice/protocol';
import express, { type Express } from 'express';
import request from 'supertest';
import { EVENTS, openTestService, type TestService } from '../../test/support/test-service.js';
import { openClientStore } from '../issuer/client-store.js';

const FORM = 'grant_type=client_credentials';
const ISSUER_PATHS = [TOKEN_PATH, AUTH_TOKEN_PATH, AUTH_VERIFY_PATH];

let service: TestService;
let secret: string;
beforeAll(async () => {
  service = await openTestService();
  const clients = await openClientStore(service.config);
  ({ secret } = await clients.addClient({
    id: 'backend',
    workspaces: ['acme'],
    permissions: ['realtime:publish'],
  }));
});
afterAll(() => service[Symbol.asyncDispose]());

const askForToken = (form: string) => request(service.app).post(TOKEN_PATH).type('form').send(form);

describe('the token endpoint', () => {
  it.each([
    ['the header', () => askForToken(FORM).auth('backend', secret)],
    ['the form', () => askForToken(`${FORM}&client_id=backend&client_secret=${secret}`)],
  ])('gives a token that publishes to a client that shows its secret in %s', async (_, ask) => {
    const { status, headers, body } = await ask();
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' });
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 900 });
    const published = await request(service.app)
      .post(EVENTS)
      .set('Authorization', `Bearer ${body.access_token}`)
      .send({ topic: 'orders', type: 'order.created' });
    expect(published.status).toBe(201);
  });

  it('answers as RFC 6749 says where the client is not known', async () => {
    const { status, headers, body } = await askForToken(FORM).auth('backend', 'wrong');
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Basic realm="sluice"');
    expect(headers['cache-control']).toBe('no-store');
    expect(body).toMatchObject({ error: 'invalid_client' });
  });

  it('does not read another form than that of RFC 6749', async () => {
    const { status, body } = await request(service.app)
      .post(TOKEN_PATH)
      .auth('backend', secret)
      .send({ grant_type: 'client_credentials' });
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: 'invalid_request' });
  });

  it('does not read a body over 8 KB', async () => {
    const padded = (bytes: number) => `${FORM}&x=`.padEnd(bytes, 'x');
    expect((await askForToken(padded(8_192)).auth('backend', secret)).status).toBe(200);
    const { status, body } = await askForToken(padded(8_193)).auth('backend', secret);
    expect(status).toBe(413);
    expect(body).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it.each(['get', 'put', 'delete', 'options'] as const)(
    'takes POST, and not %s',
    async (method) => {
      const { status, headers, body } = await request(service.app)[method](TOKEN_PATH);
      expect(status).toBe(405);
      expect(headers['allow']).toBe('POST');
      expect(body).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    },
  );

  it('gives tokens that live no longer than tokens may', async () => {
    await using strict = await openTestService({ TOKEN_MAX_LIFETIME_SECONDS: '60' });
    const clients = await openClientStore(strict.config);
    const client = { id: 'b', workspaces: ['acme'], permissions: ['realtime:publish'] };
    const added = await clients.addClient(client);
    const { body } = await request(strict.app)
      .post(TOKEN_PATH)
      .type('form')
      .auth('b', added.secret)
      .send(FORM);
    expect(body).toMatchObject({ expires_in: 60 });
  });
});

describe('the key set', () => {
  it('is public, for a minute, and holds no private key', async () => {
    const { status, headers, body } = await request(service.app).get(JWKS_PATH);
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('public, max-age=60');
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(body.keys).toHaveLength(1);
    expect(Object.keys(body.keys[0]).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
  });

  it('takes GET and HEAD', async () => {
    expect((await request(service.app).head(JWKS_PATH)).status).toBe(200);
    const { status, headers } = await request(service.app).post(JWKS_PATH);
    expect(status).toBe(405);
    expect(headers['allow']).toBe('GET, HEAD');
  });
});

/** The service as a peer at `address` sees it. */
function seenFrom(address: string | undefined, { app }: TestService): Express {
  return express().use((asked, _, next) => {
    Object.defineProperty(asked.socket, 'remoteAddress', { value: address });
    next();
  }, app);
}

describe('the embedded issuer', () => {
  it.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])(
    'is there for %s',
    async (peer) => {
      expect((await request(seenFrom(peer, service)).get(JWKS_PATH)).status).toBe(200);
    },
  );

  it.each([
    '10.0.0.1',
    '::ffff:10.0.0.1',
    '::',
    'fe80::1',
    '127.0.0.1.example',
    '1127.0.0.1',
    '',
    undefined,
  ])('is not there for %s', async (peer) => {
    await expectNothing(seenFrom(peer, service), { Host: 'localhost' });
  });

  it.each([
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-For', ''],
    ['X-Forwarded-Host', 'localhost'],
    ['Forwarded', 'for=127.0.0.1'],
    ['X-Real-IP', '127.0.0.1'],
    ['Via', '1.1 localhost'],
  ])('is not there for what came through a proxy: %s: %s', async (name, value) => {
    await expectNothing(service.app, { [name]: value });
  });

  it.each([1, 'loopback'])('is not there for a proxy that is trusted (%s)', async (trusted) => {
    await using behind = await openTestService({ TRUST_PROXY: String(trusted) });
    await expectNothing(behind.app, { 'X-Forwarded-For': '127.0.0.1' });
  });

  it('is there for others only where it is exposed', async () => {
    await using exposed = await openTestService({ ISSUER_EXPOSED: 'true' });
    expect(await statusBySocketFile(exposed.app)).toBe(200);
    expect(await statusBySocketFile(service.app)).toBe(404);
  });

  it('is not there where keys come from elsewhere', async () => {
    await using foreign = await openTestService({
      JWKS_URI: 'https://idp.example/jwks',
      TOKEN_ISSUER: 'https://idp.example',
      TOKEN_AUDIENCE: 'sluice',
    });
    for (const path of PATHS) {
      expect((await request(foreign.app).get(path)).status).toBe(404);
    }
  });
});

const PATHS = [JWKS_PATH, METADATA_PATH, TOKEN_PATH, AUTH_TOKEN_PATH, AUTH_VERIFY_PATH];

async function expectNothing(app: Express, headers: Record<string, string>): Promise<void> {
  for (const path of PATHS) {
    for (const method of ['get', 'post'] as const) {
      const { status, body } = await request(app)
        [method](path)
        .set(headers)
        .auth('backend', secret);
      expect(status).toBe(404);
      expect(body).toMatchObject({ code: 'NOT_FOUND' });
    }
  }
}

describe('the metadata', () => {
  const read = (app: Express, host = 'sluice.test:3000') =>
    request(app).get(METADATA_PATH).set('Host', host);

  it('is that of RFC 8414, with addresses where the request came to', async () => {
    const { status, headers, body } = await read(service.app);
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(body).toEqual({
      issuer: 'urn:sluice:embedded',
      token_endpoint: 'http://sluice.test:3000/oauth/token',
      jwks_uri: 'http://sluice.test:3000/.well-known/jwks.json',
      response_types_supported: [],
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      scopes_supported: [...PERMISSIONS],
    });
  });

  it('has its addresses below the path that an application gave it', async () => {
    const { body } = await request(express().use('/below', service.app))
      .get(`/below${METADATA_PATH}`)
      .set('Host', 'sluice.test');
    expect(body.jwks_uri).toBe(`http://sluice.test/below${JWKS_PATH}`);
  });

  it.each(['[::1]:3000', '127.0.0.1', 'a-b.example'])('knows the host %s', async (host) => {
    expect((await read(service.app, host)).body.jwks_uri).toBe(`http://${host}${JWKS_PATH}`);
  });

  it.each(['a b', 'a/b', 'a?b', 'user@host', 'a"b', 'host:port', '<b>', ''])(
    'does not hand on what is no host: %s',
    async (host) => {
      const { status, body } = await read(service.app, host);
      expect(status).toBe(400);
      expect(body).toMatchObject({ code: 'INVALID_REQUEST' });
      if (host !== '') expect(JSON.stringify(body)).not.toContain(host);
    },
  );

  it.each(['https://id.example', 'https://id.example/'])(
    'has its addresses on an issuer that is one: %s',
    async (issuer) => {
      await using named = await openTestService({
        ISSUER_ENABLED: 'true',
        TOKEN_ISSUER: issuer,
        TOKEN_AUDIENCE: 'sluice',
      });
      expect((await read(named.app)).body).toMatchObject({
        issuer,
        token_endpoint: 'https://id.example/oauth/token',
        jwks_uri: 'https://id.example/.well-known/jwks.json',
      });
    },
  );

  it('takes GET and HEAD', async () => {
    expect((await request(service.app).head(METADATA_PATH)).status).toBe(200);
    const { status, headers } = await request(service.app).post(METADATA_PATH);
    expect(status).toBe(405);
    expect(headers['allow']).toBe('GET, HEAD');
  });
});

describe('an address that shows wrong secrets', () => {
  it('is refused before its secret costs work, at all doors of the issuer', async () => {
    await using strict = await openTestService({ MAX_FAILED_ATTEMPTS_PER_MINUTE: '2' });
    const clients = await openClientStore(strict.config);
    const client = { id: 'b', workspaces: ['acme'], permissions: ['realtime:publish'] };
    const { secret: right } = await clients.addClient(client);
    const ask = (id: string, shown: string) =>
      request(strict.app).post(TOKEN_PATH).type('form').auth(id, shown).send(FORM);
    expect((await ask('b', right)).status).toBe(200);
    expect((await ask('b', 'wrong')).status).toBe(401);
    expect((await ask('unknown', 'wrong')).status).toBe(401);

    const { status, headers, body } = await ask('b', right);
    expect(status).toBe(429);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(headers['cache-control']).toBe('no-store');
    expect(body).toMatchObject({ error: 'temporarily_unavailable' });
    const plain = await request(strict.app)
      .post(AUTH_TOKEN_PATH)
      .auth('b', right)
      .send({ applicationId: 'b' });
    expect(plain.status).toBe(429);
    expect(plain.body).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
  });

  it('is not counted for what it did not show', async () => {
    await using strict = await openTestService({ MAX_FAILED_ATTEMPTS_PER_MINUTE: '1' });
    for (let times = 0; times < 3; times++) {
      const nothing = await request(strict.app).post(TOKEN_PATH).type('form').send(FORM);
      expect(nothing.status).toBe(401);
    }
  });
});

describe('service accounts that cannot be read', () => {
  it('are UNAVAILABLE, without a path', async () => {
    await using damaged = await openTestService();
    const folder = join(damaged.config.dataDir, 'issuer');
    await writeFile(join(folder, 'clients.json'), '', { mode: 0o600 });
    const answers = [
      await request(damaged.app).post(TOKEN_PATH).type('form').auth('a', 'b').send(FORM),
      await request(damaged.app).post(AUTH_TOKEN_PATH).auth('a', 'b').send({ applicationId: 'a' }),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(503);
      expect(body).toMatchObject({ code: 'UNAVAILABLE' });
      expect(JSON.stringify(body)).not.toContain(damaged.config.dataDir);
    }
  });
});

/** Asks for the keys over a socket that has no address at all. */
async function statusBySocketFile(app: Express): Promise<number | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-socket-'));
  const socketPath = join(folder, 'http.sock');
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    return await new Promise((resolve, reject) => {
      httpRequest({ socketPath, path: JWKS_PATH, agent: false }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode));
      })
        .once('error', reject)
        .end();
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
}

describe('a page of another origin', () => {
  it.each(ISSUER_PATHS)('lets no attempt fail in the name of this machine at %s', async (path) => {
    await using own = await openTestService({ MAX_FAILED_ATTEMPTS_PER_MINUTE: '1' });
    const attempt = () =>
      request(own.app)
        .post(path)
        .set({ Authorization: 'Basic YmFja2VuZDp4' })
        .type('form')
        .send(FORM);
    for (let n = 0; n < 3; n++) {
      const { status, headers } = await attempt().set('Origin', 'https://evil.example');
      expect(status).toBe(403);
      expect(headers).not.toHaveProperty('www-authenticate');
    }
    expect((await attempt()).status).not.toBe(429);
  });
});
