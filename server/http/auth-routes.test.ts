import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AUTH_TOKEN_PATH, AUTH_VERIFY_PATH, PERMISSIONS, revocationsPath } from '@sluice/protocol';
import jsonwebtoken from 'jsonwebtoken';
import request, { type Test } from 'supertest';
import { EVENTS, openTestService, type TestService } from '../../test/support/test-service.js';
import type { TokenRequest } from '../issuer/access-token.js';
import { openClientStore } from '../issuer/client-store.js';
import { openIssuer } from '../issuer/issuer.js';

let service: TestService;
let secret: string;
beforeAll(async () => {
  service = await openTestService({
    MAX_FAILED_ATTEMPTS_PER_MINUTE: 'none',
    TOKEN_MAX_LIFETIME_SECONDS: '3600',
  });
  const clients = await openClientStore(service.config);
  ({ secret } = await clients.addClient({
    id: 'backend',
    workspaces: ['acme', 'other'],
    permissions: ['realtime:subscribe', 'realtime:publish'],
  }));
});
afterAll(() => service[Symbol.asyncDispose]());

const post = (path: string) => request(service.app).post(path);
/** Asks with the right secret, in the header. */
const ask = (body: object) => post(AUTH_TOKEN_PATH).auth('backend', secret).send(body);
const askAsText = (body: string) =>
  post(AUTH_TOKEN_PATH).auth('backend', secret).type('application/json').send(body);
const APPLICATION = { applicationId: 'backend' };

const claimsOf = (token: string) => jsonwebtoken.decode(token, { json: true });

describe('POST /auth/token', () => {
  it.each([
    ['the header', () => ask(APPLICATION)],
    ['the body', () => post(AUTH_TOKEN_PATH).send({ ...APPLICATION, clientSecret: secret })],
  ])('gives a token that publishes for a secret in %s', async (_, asked) => {
    const { status, headers, body } = await asked();
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(Object.keys(body).sort()).toEqual(['expiresAt', 'token']);
    const claims = claimsOf(body.token);
    expect(claims).toMatchObject({
      sub: 'backend',
      client_id: 'backend',
      workspaces: ['acme', 'other'],
      permissions: ['realtime:subscribe', 'realtime:publish'],
    });
    expect(Date.parse(body.expiresAt)).toBe((claims?.exp ?? 0) * 1_000);
    expect((claims?.exp ?? 0) - (claims?.iat ?? 0)).toBe(900);
    const published = await post(EVENTS)
      .set('Authorization', `Bearer ${body.token}`)
      .send({ topic: 'orders', type: 'order.created' });
    expect(published.status).toBe(201);
  });

  it('narrows the token to what is asked for', async () => {
    const { body } = await ask({
      ...APPLICATION,
      permissions: ['publish', 'realtime:publish'],
      workspace: 'other',
      expiresIn: 30,
    });
    const claims = claimsOf(body.token);
    expect(claims).toMatchObject({ workspace: 'other', permissions: ['realtime:publish'] });
    expect((claims?.exp ?? 0) - (claims?.iat ?? 0)).toBe(30);
  });

  it.each<[string, object, string]>([
    ['a permission it does not have', { permissions: ['realtime:admin'] }, 'FORBIDDEN'],
    ['one such among others', { permissions: ['publish', 'admin'] }, 'FORBIDDEN'],
    ['a workspace it does not have', { workspace: 'third' }, 'FORBIDDEN'],
    ['no permission', { permissions: [] }, 'INVALID_REQUEST'],
    ['an unknown permission', { permissions: ['everything'] }, 'INVALID_REQUEST'],
    ['a permission that is no text', { permissions: [{}] }, 'INVALID_REQUEST'],
    ['permissions that are no list', { permissions: 'publish' }, 'INVALID_REQUEST'],
    ['null for permissions', { permissions: null }, 'INVALID_REQUEST'],
    ['a workspace that is no text', { workspace: ['acme'] }, 'INVALID_REQUEST'],
    ['no lifetime', { expiresIn: 0 }, 'INVALID_REQUEST'],
    ['a broken lifetime', { expiresIn: 1.5 }, 'INVALID_REQUEST'],
    ['a lifetime that is a text', { expiresIn: '900' }, 'INVALID_REQUEST'],
    ['a lifetime beyond the longest', { expiresIn: 3_601 }, 'INVALID_REQUEST'],
    ['a member that is not known', { subject: 'alice' }, 'INVALID_REQUEST'],
    ['another application', { applicationId: 'frontend' }, 'INVALID_REQUEST'],
    ['no application', { applicationId: undefined }, 'INVALID_REQUEST'],
    ['an application that is no text', { applicationId: 1 }, 'INVALID_REQUEST'],
    ['a secret in both places', { clientSecret: 'x' }, 'INVALID_REQUEST'],
  ])('refuses %s', async (_, change, code) => {
    const answer = await ask({ ...APPLICATION, ...change });
    expect(answer.body).toMatchObject({ code, status: answer.status });
    expect(answer.headers).not.toHaveProperty('www-authenticate');
  });

  it.each<[string, string]>([
    ['text that is not JSON', '{"applicationId":'],
    ['a list', '["backend"]'],
    ['null', 'null'],
    ['a name twice', '{"applicationId":"backend","applicationId":"backend"}'],
    ['__proto__', '{"applicationId":"backend","__proto__":{}}'],
    ['deep nesting', `{"applicationId":${'['.repeat(1_000)}${']'.repeat(1_000)}}`],
  ])('refuses a body with %s', async (_, text) => {
    expect((await askAsText(text)).body).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('refuses another content type, and a body over 8 KB', async () => {
    const other = await post(AUTH_TOKEN_PATH).type('form').send('applicationId=backend');
    expect(other.body).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
    const text = JSON.stringify(APPLICATION);
    expect((await askAsText(text.padEnd(8_192))).status).toBe(200);
    expect((await askAsText(text.padEnd(8_193))).body).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it.each<[string, () => Test, string]>([
    ['no secret', () => post(AUTH_TOKEN_PATH), 'MISSING_TOKEN'],
    ['another scheme', () => post(AUTH_TOKEN_PATH).auth('x', { type: 'bearer' }), 'MISSING_TOKEN'],
    ['Basic and nothing', () => withHeader('Basic'), 'INVALID_TOKEN'],
    ['Basic without a colon', () => withHeader(`Basic ${btoa('backend')}`), 'INVALID_TOKEN'],
    ['a wrong secret', () => post(AUTH_TOKEN_PATH).auth('backend', 'wrong'), 'INVALID_TOKEN'],
  ])('asks for Basic after %s', async (_, asked, code) => {
    const { status, headers, body } = await asked().send(APPLICATION);
    expect(status).toBe(401);
    expect(body).toMatchObject({ code });
    expect(headers['www-authenticate']).toBe('Basic realm="sluice"');
    expect(headers['cache-control']).toBe('no-store');
  });

  it('tells no difference between an unknown application and a wrong secret', async () => {
    const wrong = (id: string) =>
      post(AUTH_TOKEN_PATH).set('X-Request-Id', 'r').send({ applicationId: id, clientSecret: 'x' });
    const [known, unknown] = [await wrong('backend'), await wrong('frontend')];
    expect(unknown.status).toBe(401);
    expect(unknown.body).toEqual(known.body);
  });

  it('says nothing of a secret that it did not take, nor logs it', async () => {
    const told = 'a-secret-that-is-wrong';
    const { text } = await post(AUTH_TOKEN_PATH).send({ ...APPLICATION, clientSecret: told });
    expect(text).not.toContain(told);
    expect(JSON.stringify(service.log.lines)).not.toContain(told);
  });

  it('takes POST alone', async () => {
    const { status, headers } = await request(service.app).get(AUTH_TOKEN_PATH);
    expect(status).toBe(405);
    expect(headers['allow']).toBe('POST');
  });
});

const withHeader = (value: string) => post(AUTH_TOKEN_PATH).set('Authorization', value);

/** A token of bob, with the keys of the service. */
async function tokenOf(
  { config: { dataDir, issuer, tokens } }: TestService,
  request: Partial<TokenRequest>,
): Promise<string> {
  const { workspaceClaim } = tokens;
  const own = await openIssuer({ dataDir, issuer: '', audience: '', ...issuer, workspaceClaim });
  return own.issueToken({
    subject: 'bob',
    workspaces: ['acme'],
    permissions: ['realtime:publish'],
    lifetimeSeconds: 60,
    ...request,
  }).token;
}

describe('POST /auth/verify', () => {
  const verify = (token: string) => post(AUTH_VERIFY_PATH).auth(token, { type: 'bearer' });
  const inBody = (body: object) => post(AUTH_VERIFY_PATH).send(body);

  it.each([
    ['the header', () => verify(service.token())],
    ['the header beside an empty object', () => verify(service.token()).send({})],
    ['the body', () => inBody({ token: service.token() })],
  ])('tells the claims of a token in %s', async (_, asked) => {
    const { status, headers, body } = await asked();
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(Object.keys(body).sort()).toEqual(['claims', 'expiresAt']);
    expect(body.claims).toMatchObject({
      sub: 'alice',
      workspace: 'acme',
      permissions: PERMISSIONS,
    });
    expect(Date.parse(body.expiresAt)).toBe(body.claims.exp * 1_000);
  });

  it.each<[string, () => Test, string]>([
    ['no token', () => post(AUTH_VERIFY_PATH), 'MISSING_TOKEN'],
    ['an empty object', () => inBody({}), 'MISSING_TOKEN'],
    ['Basic', () => post(AUTH_VERIFY_PATH).auth('backend', 'x'), 'MISSING_TOKEN'],
    ['what is no token', () => verify('abc'), 'INVALID_TOKEN'],
    ['what is no token, in the body', () => inBody({ token: 'abc' }), 'INVALID_TOKEN'],
    ['a changed token', () => verify(`${service.token().slice(0, -4)}AAAA`), 'INVALID_TOKEN'],
  ])('answers %s with a problem and a challenge', async (_, asked, code) => {
    const { status, headers, body } = await asked();
    expect(status).toBe(401);
    expect(body).toMatchObject({ code });
    expect(headers['www-authenticate']).toMatch(/^Bearer/);
    expect(headers['cache-control']).toBe('no-store');
  });

  it.each<[string, () => Test, string]>([
    ['a token in both places', () => verify('abc').send({ token: 'abc' }), 'INVALID_REQUEST'],
    ['Basic beside a token', () => inBody({ token: 'a' }).auth('a', 'b'), 'INVALID_REQUEST'],
    ['an empty token', () => inBody({ token: '' }), 'INVALID_REQUEST'],
    ['a token that is no text', () => inBody({ token: ['abc'] }), 'INVALID_REQUEST'],
    ['a token that is too long', () => inBody({ token: 'a'.repeat(8_193) }), 'INVALID_REQUEST'],
    ['another member', () => inBody({ token: 'a', workspace: 'b' }), 'INVALID_REQUEST'],
    ['a list', () => inBody(['abc']), 'INVALID_REQUEST'],
    ['a large body', () => inBody({ token: 'a'.repeat(9_300) }), 'PAYLOAD_TOO_LARGE'],
    [
      'another type',
      () => post(AUTH_VERIFY_PATH).type('form').send('a=b'),
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['access_token', () => post(`${AUTH_VERIFY_PATH}?access_token=abc`), 'INVALID_REQUEST'],
    ['stream_token', () => post(`${AUTH_VERIFY_PATH}?stream_token=abc`), 'INVALID_REQUEST'],
  ])('refuses %s', async (_, asked, code) => {
    expect((await asked()).body).toMatchObject({ code });
  });

  it('says that a token has expired', async () => {
    await using strict = await openTestService({ CLOCK_TOLERANCE_SECONDS: '0' });
    const token = await tokenOf(strict, { lifetimeSeconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const { status, body } = await request(strict.app).post(AUTH_VERIFY_PATH).send({ token });
    expect(status).toBe(401);
    expect(body).toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  it('refuses what was revoked in each of its workspaces', async () => {
    await using own = await openTestService();
    const inOne = await tokenOf(own, { workspaces: ['acme'] });
    const inTwo = await tokenOf(own, { workspaces: ['acme', 'other'] });
    const ask = (token: string) => request(own.app).post(AUTH_VERIFY_PATH).send({ token });
    expect((await ask(inOne)).status).toBe(200);
    for (const [workspace, status] of [
      ['acme', 200],
      ['other', 401],
    ] as const) {
      const revoked = await request(own.app)
        .post(revocationsPath(workspace))
        .auth(own.token(PERMISSIONS, workspace), { type: 'bearer' })
        .send({ sub: 'bob' });
      expect(revoked.status).toBe(201);
      expect((await ask(inOne)).body).toMatchObject({ code: 'INVALID_TOKEN' });
      expect((await ask(inTwo)).status).toBe(status);
    }
  });

  it('counts what is no token, and knows again what it has verified', async () => {
    await using strict = await openTestService({ MAX_FAILED_ATTEMPTS_PER_MINUTE: '2' });
    const ask = (token: string) => request(strict.app).post(AUTH_VERIFY_PATH).send({ token });
    const [known, unseen] = [strict.token(), strict.token()];
    expect((await ask(known)).status).toBe(200);
    expect((await ask('abc')).status).toBe(401);
    expect((await ask('def')).status).toBe(401);
    expect((await ask(unseen)).body).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    expect((await ask(known)).status).toBe(200);
  });

  it('takes POST alone', async () => {
    const { status, headers } = await request(service.app).get(AUTH_VERIFY_PATH);
    expect(status).toBe(405);
    expect(headers['allow']).toBe('POST');
  });
});
