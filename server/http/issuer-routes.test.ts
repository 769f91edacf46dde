import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JWKS_PATH, TOKEN_PATH } from '@sluice/protocol';
import express, { type Express } from 'express';
import request from 'supertest';
import { EVENTS, openTestService, type TestService } from '../../test/support/test-service.js';
import { openClientStore } from '../issuer/client-store.js';

const FORM = 'grant_type=client_credentials';

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
  it('is public, for five minutes, and holds no private key', async () => {
    const { status, headers, body } = await request(service.app).get(JWKS_PATH);
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('public, max-age=300');
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
    const app = seenFrom(peer, service);
    const headers = {
      'X-Forwarded-For': '127.0.0.1',
      Forwarded: 'for=127.0.0.1',
      Host: 'localhost',
    };
    const keys = await request(app).get(JWKS_PATH).set(headers);
    const token = await request(app)
      .post(TOKEN_PATH)
      .type('form')
      .auth('backend', secret)
      .send(FORM);
    const wrongMethod = await request(app).get(TOKEN_PATH);
    for (const { status, body } of [keys, token, wrongMethod]) {
      expect(status).toBe(404);
      expect(body).toMatchObject({ code: 'NOT_FOUND' });
    }
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
    for (const path of [JWKS_PATH, TOKEN_PATH]) {
      expect((await request(foreign.app).get(path)).status).toBe(404);
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
