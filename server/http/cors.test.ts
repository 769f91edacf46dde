import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { EVENTS, openTestService, type TestService } from '../../test/support/test-service.js';

const ALLOWED = 'https://app.example';

let service: TestService;
beforeAll(async () => {
  service = await openTestService({ ALLOWED_ORIGINS: `${ALLOWED},http://localhost:5173` });
});
afterAll(() => service[Symbol.asyncDispose]());

const event = { topic: 'orders', type: 'order.created' };
const publishFrom = (origin: string, host = 'sluice.example') =>
  request(service.app)
    .post(EVENTS)
    .set({ Authorization: `Bearer ${service.token()}`, Origin: origin, Host: host })
    .send(event);

function corsHeaders(headers: Record<string, string>): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('access-control-'));
}

describe('a page of an allowed origin', () => {
  it.each([ALLOWED, 'http://localhost:5173'])('may read the answer: %s', async (origin) => {
    const { status, headers } = await publishFrom(origin);
    expect(status).toBe(201);
    expect(headers['access-control-allow-origin']).toBe(origin);
    expect(headers['access-control-expose-headers']).toMatch(/Retry-After.*X-Request-Id/);
    expect(headers['vary']).toMatch(/Origin/);
    // Tokens travel in headers and addresses: no cookie is asked for.
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it('may read a refusal', async () => {
    const { status, headers, body } = await request(service.app).get(EVENTS).set('Origin', ALLOWED);
    expect(status).toBe(401);
    expect(body.code).toBe('MISSING_TOKEN');
    expect(headers['access-control-allow-origin']).toBe(ALLOWED);
  });

  it('may ask before it asks', async () => {
    const { status, headers, text } = await request(service.app)
      .options(EVENTS)
      .set({ Origin: ALLOWED, 'Access-Control-Request-Method': 'POST' });
    expect(status).toBe(204);
    expect(text).toBe('');
    expect(headers).toMatchObject({
      'access-control-allow-origin': ALLOWED,
      'access-control-allow-methods': 'GET, POST',
      'access-control-max-age': '600',
    });
    expect(headers['access-control-allow-headers']).toMatch(
      /Authorization.*Content-Type.*Idempotency-Key.*Last-Event-ID/,
    );
  });
});

describe('a page of another origin', () => {
  const others = [
    'null',
    'https://evil.example',
    'https://app.example.evil.example',
    'https://evil-app.example',
    'https://app.example:8443',
    'http://app.example',
    'https://APP.example',
    'https://app.example.',
    'https://app.example/',
    'https://app.example, https://app.example',
    '*',
    '',
  ];

  it.each(others)('is refused, and may not even read that: %j', async (origin) => {
    const { status, headers, body } = await publishFrom(origin);
    expect(status).toBe(403);
    expect(body).toMatchObject({ code: 'FORBIDDEN', detail: 'This origin is not allowed.' });
    expect(corsHeaders(headers)).toEqual([]);
    // Another token would not help.
    expect(headers).not.toHaveProperty('www-authenticate');
    expect(headers['vary']).toMatch(/Origin/);
  });

  it.each(others)('gets no answer to its preflight: %j', async (origin) => {
    const { status, headers } = await request(service.app).options(EVENTS).set('Origin', origin);
    expect(status).toBe(403);
    expect(corsHeaders(headers)).toEqual([]);
  });

  it.each(['cross-site', 'same-site'])(
    'is refused where it asks without an Origin: %s',
    async (site) => {
      const { status, body } = await request(service.app)
        .get(`${EVENTS}?access_token=x`)
        .set({ 'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': 'no-cors' });
      expect(status).toBe(403);
      expect(body.code).toBe('FORBIDDEN');
    },
  );

  it('is refused before its token is looked at', async () => {
    const { body } = await request(service.app).get(EVENTS).set('Origin', 'https://evil.example');
    expect(body.code).toBe('FORBIDDEN');
  });
});

describe('no other origin', () => {
  it.each(['http://sluice.example', 'https://sluice.example'])(
    'is that of the service itself: %s',
    async (origin) => {
      const { status, headers } = await publishFrom(origin);
      expect(status).toBe(201);
      expect(corsHeaders(headers)).toEqual([]);
    },
  );

  it('is that of the service at another port', async () => {
    expect((await publishFrom('http://sluice.example:81')).status).toBe(403);
    expect((await publishFrom('http://sluice.example:81', 'sluice.example:81')).status).toBe(201);
  });

  it.each(['none', 'same-origin'])('is one that a browser calls %s', async (site) => {
    const response = await request(service.app)
      .post(EVENTS)
      .set({ Authorization: `Bearer ${service.token()}`, 'Sec-Fetch-Site': site })
      .send(event);
    expect(response.status).toBe(201);
  });

  it('comes from what is not a page', async () => {
    const response = await request(service.app)
      .post(EVENTS)
      .set('Authorization', `Bearer ${service.token()}`)
      .send(event);
    expect(response.status).toBe(201);
    expect(corsHeaders(response.headers)).toEqual([]);
  });

  it('asks for a preflight', async () => {
    const { status, headers } = await request(service.app).options(EVENTS);
    expect(status).toBe(405);
    expect(headers['allow']).toBe('GET, POST');
  });
});
