import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS, type Problem, type ServiceErrorCode } from '@sluice/protocol';
import { type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { type RawRequest, RawStream, rawRequest } from '../support/raw-http.js';
import { Service } from '../support/service.js';
import {
  createSigningKey,
  createTestIssuer,
  forge,
  inSeconds,
  type SigningKey,
  type TestIssuer,
} from '../support/tokens.js';

// What stands at the door answers each bad input with exactly one code, as a problem document, and tells nothing.

type Header = readonly [name: string, value: string];
interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly Header[];
}
interface Row {
  readonly what: string;
  readonly ask: (token: string) => Ask;
  readonly code: ServiceErrorCode;
}

const EVENTS = '/realtime/workspace/acme/events';

let issuer: TestIssuer;
let rsa: SigningKey;
let p384: SigningKey;
let jwks: JwksServer;
let service: Service;
const sent = new Set<string>();

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256' });
  rsa = await createSigningKey('RS256');
  p384 = await createSigningKey('ES384');
  // A key that says nothing of its algorithm: its kind alone must pin it.
  const { alg: _, ...silentJwk } = p384.jwk;
  issuer.keys.push(rsa, { ...p384, jwk: silentJwk });
  jwks = await startJwksServer(issuer.jwks);
  service = await Service.start({ env: { ...issuer.settings(jwks.url), LOG_LEVEL: 'trace' } });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await jwks[Symbol.asyncDispose]();
});

const inHeader = (token: string): Ask => ({ headers: [['Authorization', `Bearer ${token}`]] });
const inQuery = (query: string): Ask => ({ path: `${EVENTS}?${query}` });
const at =
  (path: string) =>
  (token: string): Ask => ({ ...inHeader(token), path });
const withToken = (make: () => string) => (): Ask => inHeader(make());
const withClaims = (changed: Record<string, unknown>) =>
  withToken(() => signed({}, { ...claims(), ...changed }));

function key(): SigningKey {
  return issuer.keys[0] as SigningKey;
}
function claims(): Record<string, unknown> {
  return JSON.parse(
    Buffer.from(issuer.mint().split('.')[1] ?? '', 'base64url').toString(),
  ) as Record<string, unknown>;
}
/** A token with a good signature over whatever header and payload. */
function signed(header: Record<string, unknown>, payload: unknown = claims(), by = key()): string {
  return forge({ alg: by.algorithm, kid: by.kid, ...header }, payload, by);
}
function parts(): [string, string, string] {
  return issuer.mint().split('.') as [string, string, string];
}

function requestOf(row: Row): RawRequest {
  const token = issuer.mint();
  const ask = row.ask(token);
  for (const text of [
    token,
    ...(ask.headers ?? []).map(([, value]) => value.replace(/^Bearer /, '')),
  ]) {
    if (text.length > 20) sent.add(text);
  }
  return { port: service.port, path: EVENTS, ...ask };
}

function table(title: string, rows: readonly Row[]): void {
  describe(title, () => {
    it.each(rows)('$what: $code', async (row) => {
      const request = requestOf(row);
      const { status, headers, body } = await rawRequest(request);
      const problem = JSON.parse(body) as Problem;
      expect(problem.code).toBe(row.code);
      expect(status).toBe(ERRORS[row.code].status);
      expect(headers.get('content-type')?.[0]).toBe('application/problem+json');
      expect(problem).toMatchObject({ status, recoverable: ERRORS[row.code].recoverable });
      expect(problem.requestId).toBe(headers.get('x-request-id')?.[0]);
      expect(body).not.toMatch(/node_modules|at \w+ \(|127\.0\.0\.1|eyJ/);
      if (status === 401) expect(headers.get('www-authenticate')?.[0]).toMatch(/^Bearer/);
      if (status === 503) expect(Number(headers.get('retry-after')?.[0])).toBeGreaterThan(0);
    });
  });
}

table('where the token is', [
  { what: '1. no token', ask: () => ({}), code: 'MISSING_TOKEN' },
  { what: '2. empty', ask: () => inQuery('access_token='), code: 'INVALID_REQUEST' },
  {
    what: '3. twice, the same',
    ask: (t) => inQuery(`access_token=${t}&access_token=${t}`),
    code: 'INVALID_REQUEST',
  },
  {
    what: '3. twice, another',
    ask: (t) => inQuery(`access_token=${t}&access%5Ftoken=x`),
    code: 'INVALID_REQUEST',
  },
  { what: '4. as a list', ask: (t) => inQuery(`access_token[]=${t}`), code: 'INVALID_REQUEST' },
  {
    what: '4. as a member',
    ask: (t) => inQuery(`access_token%5Ba%5D=${t}`),
    code: 'INVALID_REQUEST',
  },
  {
    what: '4. as a list beside a plain one',
    ask: (t) => inQuery(`access_token=${t}&access_token[]=${t}`),
    code: 'INVALID_REQUEST',
  },
  { what: '5. in capitals', ask: (t) => inQuery(`ACCESS_TOKEN=${t}`), code: 'MISSING_TOKEN' },
  {
    what: '6. in query and header',
    ask: (t) => ({ ...inHeader(t), ...inQuery(`access_token=${t}`) }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '6. stream token and header',
    ask: (t) => ({ ...inHeader(t), ...inQuery('stream_token=abc') }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '6. stream token and query',
    ask: (t) => inQuery(`stream_token=abc&access_token=${t}`),
    code: 'INVALID_REQUEST',
  },
  {
    what: '7. two headers',
    ask: (t) => ({
      headers: [
        ['Authorization', `Bearer ${t}`],
        ['authorization', `Bearer ${t}`],
      ],
    }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '8. Basic',
    ask: () => ({ headers: [['Authorization', 'Basic YWxpY2U6c2VjcmV0']] }),
    code: 'MISSING_TOKEN',
  },
  {
    what: '8. Bearer alone',
    ask: () => ({ headers: [['Authorization', 'Bearer']] }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '8. Bearer and two words',
    ask: () => ({ headers: [['Authorization', 'Bearer a b']] }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '9. over 8 KB',
    ask: () => ({ headers: [['Authorization', `Bearer ${'a'.repeat(8_193)}`]] }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '10. a line break at its end',
    ask: (t) => inQuery(`access_token=${t}%0d%0a`),
    code: 'INVALID_TOKEN',
  },
  {
    what: '10. a space at its end',
    ask: (t) => inQuery(`access_token=${t}%20`),
    code: 'INVALID_TOKEN',
  },
  {
    what: '10. a line break inside',
    ask: (t) => inQuery(`access_token=${t.replace('.', '%0d%0a.')}`),
    code: 'INVALID_TOKEN',
  },
]);

table('the form of the token', [
  {
    what: '11. two segments',
    ask: withToken(() => parts().slice(0, 2).join('.')),
    code: 'INVALID_TOKEN',
  },
  {
    what: '11. four segments',
    ask: withToken(() => `${issuer.mint()}.${parts()[2]}`),
    code: 'INVALID_TOKEN',
  },
  {
    what: '11. a JWE',
    ask: withToken(() => `${forge({ alg: 'dir', enc: 'A256GCM' }, 'x', 'eHh4')}.eHh4.eHh4`),
    code: 'INVALID_TOKEN',
  },
  {
    what: '11. JSON serialization',
    ask: withToken(() =>
      JSON.stringify({
        protected: parts()[0],
        payload: parts()[1],
        signature: parts()[2],
      }).replaceAll(' ', ''),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '12. a header that is not JSON',
    ask: withToken(() => forge(Buffer.from('{'), claims(), key())),
    code: 'INVALID_TOKEN',
  },
  ...[1, [], null].map(
    (header): Row => ({
      what: `12. a header that is ${JSON.stringify(header)}`,
      ask: withToken(() => forge(header, claims(), key())),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '13. a payload that is not JSON',
    ask: withToken(() => signed({}, Buffer.from('nonsense'))),
    code: 'INVALID_TOKEN',
  },
  ...[null, ['a'], 'text', 7].map(
    (payload): Row => ({
      what: `13. a payload that is ${JSON.stringify(payload)}`,
      ask: withToken(() => signed({}, payload)),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '13. a payload that is not UTF-8',
    ask: withToken(() => signed({}, Buffer.from([0x7b, 0xff, 0x7d]))),
    code: 'INVALID_TOKEN',
  },
  ...['none', 'NoNe', undefined, ['ES256'], 'es256', 'HS256', 'EdDSA'].map(
    (alg): Row => ({
      what: `14. alg ${JSON.stringify(alg)}`,
      ask: withToken(() => signed({ alg })),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '14. alg none without a signature',
    ask: withToken(() => forge({ alg: 'none', kid: key().kid }, claims(), '')),
    code: 'INVALID_TOKEN',
  },
  {
    what: "15. HS256 with the public key's PEM",
    ask: withToken(() => hmacSigned()),
    code: 'INVALID_TOKEN',
  },
  {
    what: "16. another alg than the key's own",
    ask: withToken(() =>
      signed({ alg: 'RS256', kid: rsa.kid }, claims(), { ...rsa, algorithm: 'PS256' }),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '16. PS256, well signed, by a key whose own alg is RS256',
    ask: withToken(() => signed({ alg: 'PS256' }, claims(), { ...rsa, algorithm: 'PS256' })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '16. an alg of another kind of key',
    ask: withToken(() => signed({ alg: 'RS256' })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '16. an alg of another curve',
    ask: withToken(() => signed({ alg: 'ES256', kid: p384.kid }, claims(), p384)),
    code: 'INVALID_TOKEN',
  },
  ...[undefined, {}, '', 'k'.repeat(2_000), '__proto__'].map(
    (kid): Row => ({
      what: `17. kid ${JSON.stringify(kid)?.slice(0, 20)}`,
      ask: withToken(() => signed({ kid })),
      code: kid === '__proto__' ? 'AUTH_ERROR' : 'INVALID_TOKEN',
    }),
  ),
  ...['jku', 'x5u', 'x5c', 'jwk'].map(
    (name): Row => ({
      what: `18. ${name}`,
      ask: withToken(() => signed({ [name]: jwks.url })),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '19. an unknown crit',
    ask: withToken(() => signed({ crit: ['x'], x: 1 })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '19. b64 false',
    ask: withToken(() => signed({ b64: false, crit: ['b64'] })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '20. the type of another kind of token',
    ask: withToken(() => signed({ typ: 'logout+jwt' })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '21. a signature with one bit flipped',
    ask: withToken(() => flipped()),
    code: 'INVALID_TOKEN',
  },
  {
    what: '21. a signature of zeros',
    ask: withToken(() => forge({ alg: 'ES256', kid: key().kid }, claims(), Buffer.alloc(64))),
    code: 'INVALID_TOKEN',
  },
  {
    what: '21. a short signature',
    ask: withToken(() => forge({ alg: 'ES256', kid: key().kid }, claims(), Buffer.alloc(8))),
    code: 'INVALID_TOKEN',
  },
  { what: '22. padding', ask: withToken(() => `${issuer.mint()}==`), code: 'INVALID_TOKEN' },
  { what: '22. loose bits', ask: withToken(() => looseBits()), code: 'INVALID_TOKEN' },
  {
    what: '24. a claim twice',
    ask: withToken(() =>
      signed({}, Buffer.from(JSON.stringify(claims()).replace('{', '{"workspace":"acme",'))),
    ),
    code: 'INVALID_TOKEN',
  },
]);

table('the claims', [
  ...[undefined, '9999999999', -1].map(
    (exp): Row => ({
      what: `25. exp ${JSON.stringify(exp)}`,
      ask: withClaims({ exp }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '25. exp 1e999',
    ask: withToken(() =>
      signed(
        {},
        Buffer.from(JSON.stringify({ ...claims(), exp: 0 }).replace('"exp":0', '"exp":1e999')),
      ),
    ),
    code: 'INVALID_TOKEN',
  },
  {
    what: '25. exp in milliseconds',
    ask: () => inHeader(issuer.mint({ exp: Date.now() + 60_000 })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '26. exp past',
    ask: () => inHeader(issuer.mint({ exp: inSeconds(-10) })),
    code: 'TOKEN_EXPIRED',
  },
  {
    what: '26. exp past, and of another issuer',
    ask: () => inHeader(issuer.mint({ exp: inSeconds(-10), iss: 'x' })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '27. nbf ahead',
    ask: () => inHeader(issuer.mint({ nbf: inSeconds(30) })),
    code: 'INVALID_TOKEN',
  },
  {
    what: '27. iat ahead',
    ask: withToken(() => signed({}, { ...claims(), iat: inSeconds(30) })),
    code: 'INVALID_TOKEN',
  },
  ...['https://evil.test', undefined, ['https://issuer.test']].map(
    (iss): Row => ({
      what: `28. iss ${JSON.stringify(iss)}`,
      ask: withClaims({ iss }),
      code: 'INVALID_TOKEN',
    }),
  ),
  ...['other', undefined, { a: 'sluice-test' }, [['sluice-test']], []].map(
    (aud): Row => ({
      what: `28. aud ${JSON.stringify(aud)}`,
      ask: withClaims({ aud }),
      code: 'INVALID_TOKEN',
    }),
  ),
  ...[undefined, '', 7, ['alice']].map(
    (sub): Row => ({
      what: `29. sub ${JSON.stringify(sub)}`,
      ask: withClaims({ sub }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '30. no workspace',
    ask: withClaims({ workspace: undefined }),
    code: 'WORKSPACE_MISMATCH',
  },
  ...[{ name: 'acme' }, [['acme']], 7].map(
    (workspace): Row => ({
      what: `30. workspace ${JSON.stringify(workspace)}`,
      ask: withClaims({ workspace }),
      code: 'INVALID_TOKEN',
    }),
  ),
  {
    what: '30. workspaces with a list inside',
    ask: withClaims({ workspace: undefined, workspaces: [['acme']] }),
    code: 'INVALID_TOKEN',
  },
  {
    what: '31. workspace under __proto__',
    ask: withToken(() =>
      signed(
        {},
        Buffer.from(
          `{"__proto__":{"workspace":"acme"},${JSON.stringify({ ...claims(), workspace: undefined }).slice(1)}`,
        ),
      ),
    ),
    code: 'WORKSPACE_MISMATCH',
  },
  {
    what: '31. workspace under constructor',
    ask: withClaims({ workspace: undefined, constructor: { workspace: 'acme' } }),
    code: 'WORKSPACE_MISMATCH',
  },
  { what: '32. workspace *', ask: withClaims({ workspace: '*' }), code: 'WORKSPACE_MISMATCH' },
  {
    what: '32. another case of the name',
    ask: withClaims({ workspace: 'Acme' }),
    code: 'WORKSPACE_MISMATCH',
  },
  { what: '39. no permission', ask: withClaims({ permissions: [] }), code: 'FORBIDDEN' },
  {
    what: '39. a permission that is no list',
    ask: withClaims({ permissions: 'realtime:subscribe' }),
    code: 'FORBIDDEN',
  },
]);

table('the address', [
  ...['a%2Fb', 'a%00', 'a%0d%0ab', '..', '%2e%2e', 'a%E2%80%AEb', 'a'.repeat(65)].map(
    (name): Row => ({
      what: `34. :ws ${name.slice(0, 20)}`,
      ask: at(`/realtime/workspace/${name}/events`),
      code: 'INVALID_REQUEST',
    }),
  ),
  { what: '35. :ws %zz', ask: at('/realtime/workspace/%zz/events'), code: 'INVALID_REQUEST' },
  { what: '36. in capitals', ask: at('/realtime/workspace/acme/EVENTS'), code: 'NOT_FOUND' },
  { what: '36. a slash at its end', ask: at(`${EVENTS}/`), code: 'NOT_FOUND' },
  {
    what: '36. another method',
    ask: (t) => ({ ...inHeader(t), method: 'DELETE' }),
    code: 'METHOD_NOT_ALLOWED',
  },
  ...[
    '',
    'a,',
    'a%0Ab',
    'x'.repeat(257),
    Array.from({ length: 101 }, (_, n) => `t${n}`).join(),
  ].map(
    (topics): Row => ({
      what: `37. topics ${topics.slice(0, 20)}`,
      ask: at(`${EVENTS}?topics=${topics}`),
      code: 'INVALID_REQUEST',
    }),
  ),
  { what: '37. a filter', ask: at(`${EVENTS}?filter=x`), code: 'INVALID_REQUEST' },
  {
    what: '38. a Last-Event-ID that is no cursor',
    ask: (t) => ({ headers: [...(inHeader(t).headers ?? []), ['Last-Event-ID', '42']] }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '38. a Last-Event-ID twice',
    ask: (t) => ({
      headers: [
        ...(inHeader(t).headers ?? []),
        ['Last-Event-ID', '00000000-1'],
        ['Last-Event-ID', '00000000-1'],
      ],
    }),
    code: 'INVALID_REQUEST',
  },
  {
    what: 'an errors parameter that is not known',
    ask: at(`${EVENTS}?errors=yes`),
    code: 'INVALID_REQUEST',
  },
]);

describe('the gate', () => {
  it('lets in the token that all of these are variations of, each way', async () => {
    for (const ask of [
      inHeader(issuer.mint()),
      inQuery(`access_token=${issuer.mint()}`),
      inHeader(issuer.mint({}, { key: rsa })),
      inHeader(issuer.mint({}, { key: p384 })),
      inHeader(
        issuer.mint({
          workspace: undefined,
          workspaces: ['other', 'acme'],
          permissions: undefined,
          scope: 'openid realtime:subscribe',
        }),
      ),
    ]) {
      using stream = await RawStream.open({ port: service.port, path: EVENTS, ...ask });
      expect((await stream.head).status).toBe(200);
      expect(await stream.next()).toMatchObject({
        event: 'stream.connected',
        data: { workspace: 'acme', subject: 'alice' },
      });
    }
  });

  it('names the methods that it takes', async () => {
    const { headers } = await rawRequest({ port: service.port, path: EVENTS, method: 'PUT' });
    expect(headers.get('allow')?.[0]).toBe('GET, POST');
  });

  it('answers HEAD without opening a stream', async () => {
    const { status } = await rawRequest({ port: service.port, path: EVENTS, method: 'HEAD' });
    expect(status).toBe(405);
  });

  it('challenges a request without a token barely (RFC 6750, section 3.1)', async () => {
    const { headers } = await rawRequest({ port: service.port, path: EVENTS });
    expect(headers.get('www-authenticate')?.[0]).toBe('Bearer');
  });

  it('9. answers a request line over 16 KB with 431', async () => {
    const { status } = await rawRequest({
      port: service.port,
      path: `${EVENTS}?x=${'a'.repeat(17_000)}`,
    });
    expect(status).toBe(431);
  });

  it('33. does not start with a clock tolerance that is not a number', async () => {
    const start = Service.start({ env: { CLOCK_TOLERANCE_SECONDS: '5s' } });
    await expect(start).rejects.toThrow(/CLOCK_TOLERANCE_SECONDS must be a whole number/);
  });

  const refusals: readonly (readonly [ServiceErrorCode, () => string])[] = [
    ['MISSING_TOKEN', () => ''],
    ['TOKEN_EXPIRED', () => issuer.mint({ exp: inSeconds(-10) })],
    ['INVALID_TOKEN', () => 'x.y.z'],
    ['WORKSPACE_MISMATCH', () => issuer.mint({ workspace: 'other' })],
    ['FORBIDDEN', () => issuer.mint({ permissions: [] })],
  ];
  it.each(refusals)(
    'tells %s in the stream where it is asked to, and to stay away',
    async (code, token) => {
      const query = token() === '' ? 'errors=stream' : `errors=stream&access_token=${token()}`;
      using stream = await RawStream.open({ port: service.port, path: `${EVENTS}?${query}` });
      expect((await stream.head).status).toBe(200);
      expect((await stream.head).headers.get('content-type')?.[0]).toBe('text/event-stream');
      expect(await stream.next()).toMatchObject({ event: 'stream.error', data: { code } });
      expect(stream.received.items).toContainEqual({ kind: 'retry', ms: 2_147_483_647 });
      await expect(stream.ended).resolves.toBeDefined();
    },
  );

  it('43. ends a stream at the end of its token, and says so', async () => {
    const exp = inSeconds(2);
    using stream = await RawStream.open({
      port: service.port,
      path: EVENTS,
      ...inHeader(issuer.mint({ exp })),
    });
    const warning = await stream.next('stream.token_expiring');
    expect(warning.data).toEqual({ expiresAt: new Date(exp * 1_000).toISOString() });
    const error = await stream.next('stream.error');
    const late = Date.now() / 1_000 - exp;
    expect(error.data).toMatchObject({ code: 'TOKEN_EXPIRED', recoverable: true });
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(1);
    await expect(stream.ended).resolves.toBeDefined();
    expect(stream.received.items.filter(({ kind }) => kind === 'retry').at(-1)).toEqual({
      kind: 'retry',
      ms: 2_147_483_647,
    });
  });

  it('goes on to serve after all that, and has logged no token', async () => {
    expect(sent.size).toBeGreaterThan(80);
    const logged = service.stderr.items.join('\n') + service.stdout.items.join('\n');
    expect(logged).toContain('request refused');
    for (const token of sent) {
      expect(logged).not.toContain(token);
      for (const segment of token.split('.'))
        if (segment.length > 30) expect(logged).not.toContain(segment);
    }
    expect(service.describe()).toContain('runs');
  });
});

describe('45. the keys', () => {
  it('that cannot be had make AUTH_ERROR, never an entry', async () => {
    await using down = await startJwksServer(issuer.jwks);
    down.answer = 'down';
    await using other = await Service.start({ env: issuer.settings(down.url) });
    const { status, body, headers } = await rawRequest({
      port: other.port,
      path: EVENTS,
      ...inHeader(issuer.mint()),
    });
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ code: 'AUTH_ERROR', recoverable: true });
    expect(Number(headers.get('retry-after')?.[0])).toBeGreaterThan(0);
    using stream = await RawStream.open({
      port: other.port,
      path: `${EVENTS}?errors=stream&access_token=${issuer.mint()}`,
    });
    expect(await stream.next()).toMatchObject({ data: { code: 'AUTH_ERROR' } });
    // The client may come back: this is not the end.
    expect(stream.received.items).not.toContainEqual({ kind: 'retry', ms: 2_147_483_647 });
  });
});

function hmacSigned(): string {
  const pem = key().publicKey.export({ format: 'pem', type: 'spki' });
  const [header, payload] = forge({ alg: 'HS256', kid: key().kid }, claims(), '').split('.');
  return `${header}.${payload}.${createHmac('sha256', pem).update(`${header}.${payload}`).digest('base64url')}`;
}

function flipped(): string {
  const [header, payload, signature] = parts();
  const bytes = Buffer.from(signature, 'base64url');
  bytes[10] = (bytes[10] as number) ^ 1;
  return `${header}.${payload}.${bytes.toString('base64url')}`;
}

/** The last character of 64 bytes in base64url has four bits that mean nothing. */
function looseBits(): string {
  const token = issuer.mint();
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + alphabet.charAt(alphabet.indexOf(token.slice(-1)) + 1);
}
