import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import jsonwebtoken from 'jsonwebtoken';
import { type ClientStore, openClientStore } from './client-store.js';
import { type Issuer, openIssuer } from './issuer.js';
import { answerTokenRequest, type TokenEndpointAnswer } from './token-endpoint.js';

let dataDir: string;
let issuer: Issuer;
let clients: ClientStore;
let secret: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-token-'));
  issuer = await openIssuer({
    dataDir,
    issuer: 'urn:test',
    audience: 'sluice',
    workspaceClaim: 'workspace',
  });
  clients = await openClientStore({ dataDir });
  ({ secret } = await clients.addClient({
    id: 'backend',
    workspaces: ['acme', 'other'],
    permissions: ['realtime:subscribe', 'realtime:publish'],
  }));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const GRANT = { grant_type: 'client_credentials' };
const basic = (id: string, password: string) =>
  `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}`;
const form = (parameters: Record<string, string>) => new URLSearchParams(parameters).toString();
const ask = (parameters: Record<string, string>, authorization = basic('backend', secret)) =>
  answerTokenRequest(issuer, clients, { authorization: [authorization], body: form(parameters) });
const askWithoutHeader = (parameters: Record<string, string>) =>
  answerTokenRequest(issuer, clients, { authorization: [], body: form(parameters) });

function claimsOf({ body }: TokenEndpointAnswer) {
  return 'access_token' in body ? jsonwebtoken.decode(body.access_token, { json: true }) : null;
}

describe('the token endpoint', () => {
  it('gives a token to a client that shows its secret in the header', async () => {
    const answer = await ask(GRANT);
    expect(answer).toEqual({
      status: 200,
      headers: { 'Cache-Control': 'no-store', Pragma: 'no-cache' },
      body: {
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 900,
        scope: 'realtime:subscribe realtime:publish',
      },
    });
    const claims = claimsOf(answer);
    expect(claims).toMatchObject({
      sub: 'backend',
      client_id: 'backend',
      workspaces: ['acme', 'other'],
    });
    expect((claims?.exp ?? 0) - (claims?.iat ?? 0)).toBe(900);
  });

  it('gives a token to a client that shows its secret in the form', async () => {
    const credentials = { client_id: 'backend', client_secret: secret };
    expect(await askWithoutHeader({ ...GRANT, ...credentials })).toMatchObject({ status: 200 });
  });

  it('decodes the form encoding of the header', async () => {
    const encoded = basic('%62ackend', secret.replace(/^./, percentEncoded));
    expect(await ask(GRANT, encoded)).toMatchObject({ status: 200 });
  });

  it('takes a parameter without a value as omitted', async () => {
    const answer = await ask({ ...GRANT, scope: '', workspace: '', client_secret: '' });
    expect(answer.body).toMatchObject({ scope: 'realtime:subscribe realtime:publish' });
  });

  it('narrows the token to the scope and the workspace that are asked for', async () => {
    const answer = await ask({ ...GRANT, scope: 'realtime:publish', workspace: 'other' });
    expect(answer.body).toMatchObject({ scope: 'realtime:publish' });
    expect(claimsOf(answer)).toMatchObject({
      workspace: 'other',
      permissions: ['realtime:publish'],
      scope: 'realtime:publish',
    });
    expect(claimsOf(answer)).not.toHaveProperty('workspaces');
  });

  it.each<[string, Record<string, string>, string]>([
    ['no grant type', {}, 'invalid_request'],
    ['another grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['a secret in both places', { ...GRANT, client_secret: 'x' }, 'invalid_request'],
    ['two client ids', { ...GRANT, client_id: 'frontend' }, 'invalid_request'],
    ['a scope it does not have', { ...GRANT, scope: 'realtime:admin' }, 'invalid_scope'],
    ['an unknown scope', { ...GRANT, scope: 'realtime:publish all' }, 'invalid_scope'],
    ['a workspace it does not have', { ...GRANT, workspace: 'third' }, 'invalid_request'],
  ])('refuses a request with %s', async (_, parameters, error) => {
    const answer = await ask(parameters);
    expect(answer).toMatchObject({ status: 400, body: { error } });
    expect(answer.headers).toEqual({ 'Cache-Control': 'no-store', Pragma: 'no-cache' });
  });

  it('says what the body must be where it holds no grant type', async () => {
    expect((await ask({})).body).toEqual({
      error: 'invalid_request',
      error_description:
        'grant_type is missing; the body must be application/x-www-form-urlencoded',
    });
  });

  it.each(['scope', 'grant_type', 'unheard_of'])('refuses a repeated %s', async (name) => {
    const body = `grant_type=client_credentials&${name}=a&${name}=b`;
    const answer = await answerTokenRequest(issuer, clients, {
      authorization: [basic('backend', secret)],
      body,
    });
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });

  it.each<[string, () => Promise<TokenEndpointAnswer>]>([
    ['no credentials', () => askWithoutHeader(GRANT)],
    ['an id alone', () => askWithoutHeader({ ...GRANT, client_id: 'backend' })],
    ['a wrong secret', () => ask(GRANT, basic('backend', 'not-the-secret'))],
    ['an unknown client', () => ask(GRANT, basic('frontend', 'not-the-secret'))],
    ['another scheme', () => ask(GRANT, 'Bearer not-the-secret')],
    ['a header without a colon', () => ask(GRANT, `Basic ${btoa('not-the-secret')}`)],
    ['a broken encoding', () => ask(GRANT, basic('backend', '%E0%A4%A'))],
  ])('answers invalid_client to %s', async (_, request) => {
    const answer = await request();
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    expect(answer.headers).toMatchObject({ 'WWW-Authenticate': 'Basic realm="sluice"' });
    expect(JSON.stringify(answer)).not.toContain('not-the-secret');
  });

  it('refuses a request with two Authorization headers', async () => {
    const authorization = [basic('backend', secret), basic('frontend', secret)];
    const answer = await answerTokenRequest(issuer, clients, { authorization, body: form(GRANT) });
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });

  it('tells no difference between an unknown client and a wrong secret', async () => {
    const wrong = await ask(GRANT, basic('backend', 'wrong'));
    expect(await ask(GRANT, basic('frontend', 'wrong'))).toEqual(wrong);
  });

  it('answers 429 with Retry-After when too many ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 9 }, () => ask(GRANT)));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ status: 429, headers: { 'Retry-After': '1' } });
  });
});

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
