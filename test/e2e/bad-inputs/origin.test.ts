import { describe, expect, it } from '@jest/globals';
import {
  type Ask,
  EVENTS,
  expectRefusal,
  inHeader,
  itServesOn,
  useDoor,
} from '../../support/bad-input-table.js';
import {
  type RawRequest,
  type RawResponse,
  RawStream,
  rawRequest,
} from '../../support/raw-http.js';

const ALLOWED = 'https://app.example';
const ALLOWED_WITH_PORT = 'http://localhost:5173';
const door = useDoor({ ALLOWED_ORIGINS: `${ALLOWED},${ALLOWED_WITH_PORT}` });

const STREAM_TOKENS = '/realtime/workspace/acme/stream-tokens';

const RESOURCES: readonly (readonly [what: string, ask: Ask])[] = [
  ['a subscription', { path: EVENTS }],
  ['a subscription that wants errors in the stream', { path: `${EVENTS}?errors=stream` }],
  [
    'a publish',
    { path: EVENTS, method: 'POST', body: '{"topic":"orders","type":"order.created"}' },
  ],
  ['a stream token', { path: STREAM_TOKENS, method: 'POST' }],
  ['a preflight', { path: STREAM_TOKENS, method: 'OPTIONS' }],
];

const ORIGINS: readonly (readonly [what: string, ...origins: string[]])[] = [
  ['of a stranger', 'https://evil.example'],
  ['null', 'null'],
  ['with a suffix', 'https://app.example.evil.example'],
  ['with a prefix', 'https://evil-app.example'],
  ['of a domain below', 'https://x.app.example'],
  ['of the domain above', 'https://example'],
  ['with another port', 'https://app.example:8443'],
  ['with the usual port written out', 'https://app.example:443'],
  ['with another scheme', 'http://app.example'],
  ['without its scheme', 'app.example'],
  ['with a trailing dot', 'https://app.example.'],
  ['in capitals', 'https://APP.example'],
  ['with a slash at its end', 'https://app.example/'],
  ['with a user', 'https://app.example@evil.example'],
  ['with a space inside', 'https://app.example https://evil.example'],
  ['with a list', `${ALLOWED}, ${ALLOWED_WITH_PORT}`],
  ['twice, the same', ALLOWED, ALLOWED],
  ['twice, the second a stranger', ALLOWED, 'https://evil.example'],
  ['a star', '*'],
  ['empty', ''],
  ['of this machine, at another port', 'http://127.0.0.1:1'],
];

function request(ask: Ask, ...origins: string[]): RawRequest {
  const token = door.issuer.mint();
  door.sent.add(token);
  return {
    port: door.service.port,
    path: EVENTS,
    ...ask,
    headers: [
      ...(inHeader(token).headers ?? []),
      ['Content-Type', 'application/json'],
      ...origins.map((origin) => ['Origin', origin] as const),
    ],
  };
}

const corsHeaders = ({ headers }: RawResponse): string[] =>
  [...headers.keys()].filter((name) => name.startsWith('access-control-'));

describe.each(RESOURCES)('53. %s', (_, ask) => {
  it.each(ORIGINS)('from an origin %s is refused, without CORS headers', async (_, ...origins) => {
    const asked = request(ask, ...origins);
    await expectRefusal(asked, 'FORBIDDEN');
    const response = await rawRequest(asked);
    expect(corsHeaders(response)).toEqual([]);
    // It is no matter of tokens.
    expect(response.headers.has('www-authenticate')).toBe(false);
    expect(response.headers.get('vary')?.join()).toMatch(/Origin/);
  });
});

describe('53. a page of a listed origin', () => {
  it.each([ALLOWED, ALLOWED_WITH_PORT])('subscribes: %s', async (origin) => {
    using stream = await RawStream.open(request({}, origin));
    const { status, headers } = await stream.head;
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toEqual([origin]);
    expect(headers.has('access-control-allow-credentials')).toBe(false);
  });

  it.each([EVENTS, STREAM_TOKENS])('asks first whether it may post to %s', async (path) => {
    const response = await rawRequest({
      port: door.service.port,
      path,
      method: 'OPTIONS',
      headers: [
        ['Origin', ALLOWED],
        ['Access-Control-Request-Method', 'POST'],
        ['Access-Control-Request-Headers', 'authorization,content-type'],
      ],
    });
    const { status, headers } = response;
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toEqual([ALLOWED]);
    expect(headers.get('access-control-allow-methods')?.[0]).toMatch(/\bPOST\b/);
    expect(headers.get('access-control-allow-headers')?.[0]).toMatch(/Authorization.*Content-Type/);
    expect(headers.has('access-control-allow-credentials')).toBe(false);
    expect(headers.get('vary')?.join()).toMatch(/Origin/);
  });

  it('reads its stream token, and its refusals', async () => {
    const given = await rawRequest(request({ path: STREAM_TOKENS, method: 'POST' }, ALLOWED));
    expect(given.status).toBe(201);
    expect(given.headers.get('access-control-allow-origin')).toEqual([ALLOWED]);
    const refused = await rawRequest({
      port: door.service.port,
      path: STREAM_TOKENS,
      method: 'POST',
      headers: [['Origin', ALLOWED]],
    });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toEqual([ALLOWED]);
    expect(refused.headers.get('access-control-expose-headers')?.[0]).toMatch(/WWW-Authenticate/);
  });

  it('has its Bearer challenge where a permission is missing', async () => {
    const token = door.issuer.mint({ permissions: [] });
    const { status, headers } = await rawRequest({
      port: door.service.port,
      path: EVENTS,
      headers: [...(inHeader(token).headers ?? []), ['Origin', ALLOWED]],
    });
    expect(status).toBe(403);
    expect(headers.get('www-authenticate')).toEqual(['Bearer error="insufficient_scope"']);
  });
});

itServesOn(door);
