import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EVENTS, expectRefusal, inHeader } from '../support/bad-input-table.js';
import { type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { RawStream } from '../support/raw-http.js';
import { Service } from '../support/service.js';
import {
  createSigningKey,
  createTestIssuer,
  forge,
  type SigningKey,
  type TestIssuer,
} from '../support/tokens.js';

const requestOf = ({ port }: Service, token: string) => ({
  port,
  path: EVENTS,
  ...inHeader(token),
});

async function expectEntry(service: Service, token: string): Promise<void> {
  using stream = await RawStream.open(requestOf(service, token));
  expect((await stream.head).status).toBe(200);
  expect(await stream.next()).toMatchObject({ event: 'stream.connected' });
}

describe('several issuers', () => {
  let one: TestIssuer;
  let other: TestIssuer;
  let servers: JwksServer[];
  let service: Service;

  beforeAll(async () => {
    one = await createTestIssuer({ issuer: 'https://one.test', audience: 'one' });
    other = await createTestIssuer({ issuer: 'https://other.test', audience: 'other' });
    // Both have a key of this name.
    one.keys.push(await createSigningKey('ES256', { kid: 'shared' }));
    other.keys.push(await createSigningKey('ES256', { kid: 'shared' }));
    servers = await Promise.all([startJwksServer(one.jwks), startJwksServer(other.jwks)]);
    const [a, b] = servers;
    service = await Service.start({
      env: {
        TOKEN_ISSUERS: JSON.stringify([
          { issuer: one.issuer, audience: one.audience, jwksUri: a?.url },
          { issuer: other.issuer, audience: other.audience, jwksUri: b?.url },
        ]),
        MAX_FAILED_ATTEMPTS_PER_MINUTE: 'none',
      },
    });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  const shared = (issuer: TestIssuer) => issuer.keys[1] as SigningKey;

  it('are all believed, each by its own keys', async () => {
    for (const issuer of [one, other]) {
      await expectEntry(service, issuer.mint());
      await expectEntry(service, issuer.mint({}, { key: shared(issuer) }));
    }
  });

  it('do not share the idempotency keys of those who are called alike', async () => {
    const publish = async (token: string) => {
      const response = await fetch(service.url + EVENTS, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          'Idempotency-Key': 'same',
        },
        body: '{"topic":"orders","type":"order.created","data":1}',
      });
      expect(response.status).toBe(201);
      return response.headers.get('idempotency-replayed');
    };
    expect(await publish(one.mint())).toBeNull();
    expect(await publish(other.mint())).toBeNull();
    expect(await publish(one.mint({ sub: 'bob' }))).toBeNull();
    expect(await publish(one.mint())).toBe('true');
  });

  it.each<[string, () => string]>([
    ['by the key of another, of the same name', () => one.mint({}, { key: shared(other) })],
    [
      'in the name of another',
      () => one.mint({ iss: other.issuer, aud: other.audience }, { key: shared(one) }),
    ],
    ['for the audience of another', () => one.mint({ aud: other.audience })],
    ['of nobody', () => one.mint({ iss: 'https://third.test' })],
    ['of two at once', () => one.mint({ iss: [one.issuer, other.issuer] })],
  ])('are not believed %s', async (_, mint) => {
    await expectRefusal(requestOf(service, mint()), 'INVALID_TOKEN');
  });
});

describe('a shared secret', () => {
  const SECRET = 'kX0a9mJt5uQ2yV7wZ4sB8nC1dE6fG3hL';
  const ISSUER = 'https://self-hosted.test';
  let service: Service;
  let issuer: TestIssuer;

  beforeAll(async () => {
    issuer = await createTestIssuer({ issuer: ISSUER, audience: 'sluice' });
    service = await Service.start({
      env: {
        JWT_SECRET: SECRET,
        TOKEN_ISSUER: ISSUER,
        TOKEN_AUDIENCE: 'sluice',
        MAX_FAILED_ATTEMPTS_PER_MINUTE: 'none',
      },
    });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
  });

  function signed(header: object, secret = SECRET, hash = 'sha256'): string {
    const payload: unknown = JSON.parse(
      Buffer.from(issuer.mint().split('.')[1] ?? '', 'base64url').toString(),
    );
    const [head, body] = forge(header, payload, '').split('.');
    const signature = createHmac(hash, secret).update(`${head}.${body}`).digest('base64url');
    return `${head}.${body}.${signature}`;
  }

  it.each([{}, { kid: 'any' }, { typ: 'JWT' }])('is good for HS256 (%j)', async (header) => {
    await expectEntry(service, signed({ alg: 'HS256', ...header }));
  });

  it.each<[string, () => string]>([
    ['by another secret', () => signed({ alg: 'HS256' }, `${SECRET}x`)],
    ['by HS512', () => signed({ alg: 'HS512' }, SECRET, 'sha512')],
    ['by an algorithm of keys', () => issuer.mint()],
    ['by none', () => signed({ alg: 'none' })],
    ['by HS256 in other letters', () => signed({ alg: 'hs256' })],
  ])('lets nobody in %s', async (_, make) => {
    await expectRefusal(requestOf(service, make()), 'INVALID_TOKEN');
  });
});
