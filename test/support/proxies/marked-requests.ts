// Longer than 300 lines: it is one list, which is best read as one.

import { FAULTY_WORKSPACES } from './faulty-upstream.js';
import { markedJwt, markedOpaque } from './marks.js';

/** How a request gets to the proxy: over TLS, in the clear to the plain port, or in the clear to the port of TLS. */
export type Way = 'tls' | 'plain' | 'clear-to-tls';

/** A request that holds a token which must not be written anywhere. */
export interface MarkedRequest {
  readonly what: string;
  readonly way: Way;
  /** As it goes over the wire. */
  readonly bytes: Buffer;
  /** The path that the access log must hold for it; `null` where that is for the proxy to decide. */
  readonly loggedPath: string | null;
  /** What it may be answered with; any answer, or none, where it is not said. */
  readonly statuses?: readonly number[];
  /** The client hangs up as soon as it has sent it. */
  readonly isAborted?: boolean;
}

/** The same over HTTP/2. */
export interface MarkedHttp2Request {
  readonly what: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly loggedPath: string | null;
}

const T = markedJwt();
const OPAQUE = markedOpaque();
const BASIC = Buffer.from(`alice:${T}`).toString('base64');
const JSON_TYPE = 'Content-Type: application/json';
const EVENT = '{"topic":"orders","type":"order.created"}';

const pathOf = (workspace: string) => `/realtime/workspace/${workspace}/events`;

interface Details {
  readonly method?: string;
  readonly version?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly way?: Way;
  readonly statuses?: readonly number[];
  readonly isAborted?: boolean;
  readonly loggedPath?: string | null;
}

/** A request of a form of its own; nothing is said of what the log makes of it. */
function odd(what: string, target: string, details: Details = {}): MarkedRequest {
  const { method = 'GET', version = 'HTTP/1.1', headers = [], body = '', way = 'tls' } = details;
  const { statuses, isAborted, loggedPath = null } = details;
  const hasHost = headers.some((line) => line.toLowerCase().startsWith('host:'));
  const isFramed = headers.some((line) => /^(content-length|transfer-encoding)/i.test(line));
  const lines = [
    `${method} ${target} ${version}`.trimEnd(),
    ...(hasHost ? [] : ['Host: localhost']),
    'Connection: close',
    ...headers,
    ...(body === '' || isFramed ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
  return {
    what,
    way,
    bytes,
    loggedPath,
    ...(statuses !== undefined && { statuses }),
    ...(isAborted !== undefined && { isAborted }),
  };
}

let lastNumber = 0;

/** A request to the events of a workspace of its own: the access log must hold just that path. */
function plain(what: string, query: string, details: Details = {}): MarkedRequest {
  lastNumber += 1;
  const path = pathOf(`k${lastNumber}`);
  return odd(what, `${path}${query}`, { loggedPath: path, ...details });
}

function faulty(what: string, workspace: string, statuses: readonly number[]): MarkedRequest {
  const path = pathOf(workspace);
  return odd(what, `${path}?access_token=${T}`, { loggedPath: path, statuses });
}

/** @param token one that holds, with a mark inside. */
export function markedRequests(token: string): readonly MarkedRequest[] {
  return [
    ...goodRequests(token),
    ...queryRequests(),
    ...pathRequests(),
    ...headerRequests(),
    ...oddRequests(),
    ...limitedRequests(),
    ...faultyRequests(),
  ];
}

function goodRequests(token: string): MarkedRequest[] {
  const good = pathOf('acme');
  const publish = { method: 'POST', body: EVENT, loggedPath: good, statuses: [201] };
  const subscribe = { loggedPath: good, statuses: [200] };
  return [
    odd('good, in the query', `${good}?access_token=${token}`, subscribe),
    odd('good, in the header', good, { ...subscribe, headers: [`Authorization: Bearer ${token}`] }),
    odd('good, to publish', `${good}?access_token=${token}`, { ...publish, headers: [JSON_TYPE] }),
    odd('a large body', `${good}?access_token=${token}`, {
      ...publish,
      headers: [JSON_TYPE],
      body: JSON.stringify({ topic: 'orders', type: 'order.created', data: T.repeat(200) }),
    }),
    odd('for a stream token', '/realtime/workspace/acme/stream-tokens', {
      method: 'POST',
      headers: [`Authorization: Bearer ${token}`],
      loggedPath: '/realtime/workspace/acme/stream-tokens',
      statuses: [201],
    }),
    odd('for a revocation', `/realtime/workspace/acme/revocations?access_token=${token}`, {
      method: 'POST',
      headers: [JSON_TYPE],
      body: `{"jti":"${T}"}`,
      loggedPath: '/realtime/workspace/acme/revocations',
    }),
    odd('the client hangs up', `${good}?access_token=${token}`, { isAborted: true }),
  ];
}

function queryRequests(): MarkedRequest[] {
  return [
    plain('a token that does not hold', `?access_token=${T}`, { statuses: [401] }),
    plain('a stream token', `?stream_token=${OPAQUE}`, { statuses: [401] }),
    plain('twice', `?access_token=${T}&access_token=${T}`, { statuses: [400] }),
    plain('an encoded letter in the name', `?%61ccess_token=${T}`),
    plain('an encoded underscore in the name', `?access%5Ftoken=${T}`),
    plain('the same in lower case', `?access%5ftoken=${T}`),
    plain('a name in capitals', `?ACCESS_TOKEN=${T}`),
    plain('a name with brackets', `?access_token[]=${T}`),
    plain('a name with an index', `?access_token[0]=${T}`),
    plain('a name with encoded brackets', `?access_token%5B%5D=${T}`),
    plain('behind a semicolon', `?topics=a;access_token=${T}`),
    plain('behind &amp;', `?topics=a&amp;access_token=${T}`),
    plain('a name that is encoded twice', `?%2561ccess_token=${T}`),
    plain('no name', `?${T}`),
    plain('another name', `?token=${T}&jwt=${T}&id_token=${T}`),
    plain('behind two question marks', `??access_token=${T}`),
    plain('behind a plus', `?+access_token=${T}`),
    plain('in the value of another parameter', `?topics=${T}`),
    plain('behind a malformed escape', `?x=%zz&access_token=${T}`),
    plain('behind an encoded NUL', `?x=%00&access_token=${T}`),
    plain('behind encoded line ends', `?x=%0d%0aaccess_token=${T}`),
    // Some take it for a request that cannot be read.
    plain('behind bytes above 127', `?x=\u00e9\u00ff&access_token=${T}`, { loggedPath: null }),
    plain('each byte of it encoded', `?access_token=${percentEncoded(T)}`),
    plain('as a cursor', `?last_event_id=${T}`),
  ];
}

function pathRequests(): MarkedRequest[] {
  return [
    odd('as a workspace', `/realtime/workspace/${T}/events`),
    odd('a stream token as a workspace', `/realtime/workspace/${OPAQUE}/events`),
    odd('behind the path', `${pathOf('acme')}/${T}`),
    odd('behind the path and a semicolon', `${pathOf('acme')};access_token=${T}`),
    odd('behind an encoded question mark', `${pathOf('acme')}%3Faccess_token=${T}`),
    odd('behind an encoded hash', `${pathOf('acme')}%23access_token=${T}`),
    odd('behind a hash', `${pathOf('acme')}#access_token=${T}`),
    odd('a path that is not known', `/${T}?access_token=${T}`),
    odd('a path of the embedded issuer', `/auth/verify?token=${T}`),
    odd('a path for operators', `/metrics?access_token=${T}`),
    odd('two slashes', `//realtime//workspace//acme//events?access_token=${T}`),
    odd('dots', `/realtime/x/../workspace/acme/events/../events?access_token=${T}`),
    odd('dots above the root', `/../../${T}?access_token=${T}`),
    odd('encoded dots', `/realtime/%2e%2e/%2e%2e/%2e%2e/etc/${T}`),
    odd('an encoded slash', `/realtime%2Fworkspace%2Facme%2Fevents%2F${T}`),
    odd('a malformed escape', `/realtime/%zz${T}`),
    odd('an encoded NUL', `/realtime/%00${T}`),
    odd('encoded line ends', `/realtime/workspace/acme/events%0d%0aX:${T}`),
    odd('bytes above 127', `/realtime/\u00e9\u00ff${T}`),
    odd('a backslash', `\\realtime\\${T}`),
    odd('no slash', `${T}?access_token=${T}`),
    odd('a whole URL', `https://localhost${pathOf('acme')}?access_token=${T}`),
    odd('a whole URL of another host', `http://${T}.example${pathOf('acme')}?access_token=${T}`),
    odd('a whole URL with a user', `https://user:${T}@localhost${pathOf('acme')}`),
    odd('a URL that cannot be read', `http://[::1${pathOf('acme')}?access_token=${T}`),
  ];
}

function headerRequests(): MarkedRequest[] {
  const sent = (what: string, ...headers: string[]) => plain(what, '', { headers });
  return [
    sent('in Authorization', `Authorization: Bearer ${T}`),
    sent('as a password', `Authorization: Basic ${BASIC}`),
    sent('in another scheme', `Authorization: ${T}`),
    sent('in two Authorizations', `Authorization: Bearer ${T}`, `Authorization: Bearer ${T}`),
    sent('in Referer', `Referer: https://app.example/?access_token=${T}`),
    sent('in Cookie', `Cookie: access_token=${T}; ${T}=1`),
    sent('in Origin', `Origin: https://${T}.example`),
    sent('in User-Agent', `User-Agent: ${T}`),
    sent('in Last-Event-ID', `Last-Event-ID: ${T}`),
    sent('in X-Forwarded-For', `X-Forwarded-For: ${T}, 192.0.2.1`),
    sent('in the others of their kind', `Forwarded: for=${T}`, `X-Real-IP: ${T}`, `Via: 1.1 ${T}`),
    sent('in X-Forwarded-Host and -Proto', `X-Forwarded-Host: ${T}`, `X-Forwarded-Proto: ${T}`),
    sent('in X-Request-Id', `X-Request-Id: ${OPAQUE}`),
    sent('in traceparent', `traceparent: 00-${T}-01`, `tracestate: ${T}`, `baggage: t=${T}`),
    sent('in a header of its own', `X-Access-Token: ${T}`),
    sent('as the name of a header', `${OPAQUE}: 1`),
    odd('in Host', `${pathOf('acme')}?access_token=${T}`, { headers: [`Host: ${T}`] }),
    odd('a Host that cannot be', pathOf('acme'), { headers: [`Host: a/${T}?`] }),
    ...(['tls', 'plain'] as const).map((way) =>
      odd('in Host, in the way of ACME', '/.well-known/acme-challenge/x', {
        way,
        headers: [`Host: ${OPAQUE}`],
      }),
    ),
    odd('two Hosts', `${pathOf('acme')}?access_token=${T}`, {
      headers: [`Host: localhost`, `Host: ${T}`],
    }),
    odd('a header without a colon', `${pathOf('acme')}?access_token=${T}`, { headers: [T] }),
    odd('a header with a space', `${pathOf('acme')}?x=${T}`, { headers: [`X ${T} : ${T}`] }),
    odd('a header with control characters', `${pathOf('acme')}?x=${T}`, {
      headers: [`X: \u0000\u0001${T}`],
    }),
    odd('a folded header', `${pathOf('acme')}?x=${T}`, { headers: ['X: 1', ` ${T}`] }),
    odd('an expectation', `${pathOf('acme')}?x=${T}`, { headers: [`Expect: ${T}`] }),
    odd('an upgrade', `${pathOf('acme')}?access_token=${T}`, {
      headers: [`Upgrade: ${T}`, 'Connection: Upgrade'],
    }),
    odd('a range', `${pathOf('acme')}?access_token=${T}`, { headers: [`Range: bytes=${T}`] }),
  ];
}

function oddRequests(): MarkedRequest[] {
  const query = `?access_token=${T}`;
  const target = `${pathOf('acme')}${query}`;
  return [
    plain('HEAD', query, { method: 'HEAD' }),
    plain('OPTIONS', query, { method: 'OPTIONS', headers: [`Origin: https://${T}.example`] }),
    odd('TRACE', target, { method: 'TRACE' }),
    odd('CONNECT', `${T}.example:443`, { method: 'CONNECT' }),
    odd('PURGE', target, { method: 'PURGE' }),
    odd('as the method', target, { method: OPAQUE }),
    odd('as a method that cannot be', target, { method: `"${T}"` }),
    odd('as the version', pathOf('acme'), { version: `HTTP/${T}` }),
    odd('a version that is not known', target, { version: 'HTTP/9.9' }),
    odd('HTTP/0.9', target, { version: '' }),
    plain('HTTP/1.0', query, { version: 'HTTP/1.0' }),
    odd('two spaces', `${target} ${T}`),
    odd('no HTTP at all', `\u0016\u0003\u0001${T}`, { method: T, version: T }),
    odd('in the clear to the port of TLS', target, { way: 'clear-to-tls' }),
    odd('to the plain port', target, { way: 'plain', headers: [`Authorization: Bearer ${T}`] }),
    odd('a path that is not known, to the plain port', `/${T}`, { way: 'plain' }),
    odd('two lengths', target, {
      method: 'POST',
      headers: ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      body: `0\r\n\r\nGET /${T} HTTP/1.1\r\nHost: ${T}\r\n\r\n`,
    }),
    odd('a coding that is not known', target, {
      method: 'POST',
      headers: [`Transfer-Encoding: ${OPAQUE}`],
      body: T,
    }),
    odd('a length that is none', target, { method: 'POST', headers: [`Content-Length: ${T}`] }),
    odd('chunks that are none', target, {
      method: 'POST',
      headers: ['Transfer-Encoding: chunked', JSON_TYPE],
      body: `${T}\r\n\r\n`,
    }),
    odd('another request behind it', target, {
      body: `GET /${T} HTTP/1.1\r\nHost: ${T}\r\n\r\n`,
      headers: ['Content-Length: 0'],
    }),
  ];
}

function limitedRequests(): MarkedRequest[] {
  const long = T.repeat(120);
  return [
    odd('a first line that is too long', `${pathOf('acme')}?access_token=${long}`, {
      statuses: [400, 414, 431],
    }),
    odd('a path that is too long', `/${long}`, { statuses: [400, 403, 404, 414, 431] }),
    odd('a header that is too large', `${pathOf('acme')}?access_token=${T}`, {
      headers: [`X: ${long.repeat(4)}`],
      statuses: [400, 431],
    }),
    odd('too many headers', `${pathOf('acme')}?access_token=${T}`, {
      headers: Array.from({ length: 2_000 }, (_, n) => `X-${n}: ${T.slice(0, 60)}`),
      statuses: [400, 431],
    }),
    plain('a body that is too large', `?access_token=${T}`, {
      method: 'POST',
      headers: [JSON_TYPE, 'Content-Length: 99999999'],
      body: T,
    }),
  ];
}

function faultyRequests(): MarkedRequest[] {
  const { slow, reset, torn, malformed, unavailable } = FAULTY_WORKSPACES;
  return [
    faulty('the service is slow', slow, [502, 503, 504]),
    faulty('the service hangs up', reset, [502, 503]),
    // The head may be lost with the connection.
    faulty('the service tears its answer', torn, [200, 502, 503]),
    // nginx takes it for an answer of HTTP/0.9, and passes it on.
    odd('the service answers nonsense', `${pathOf(malformed)}?access_token=${T}`, {
      loggedPath: pathOf(malformed),
    }),
    faulty('the service is not available', unavailable, [503]),
  ];
}

/** What is asked for once nobody listens behind the proxy. */
export function requestsWhileDown(): readonly MarkedRequest[] {
  const statuses = [502, 503];
  return [
    plain('nobody listens', `?access_token=${T}`, { statuses }),
    plain('nobody listens, a name in capitals', `?ACCESS%5FTOKEN=${T}`, {
      statuses,
      headers: [`Referer: https://app.example/?access_token=${T}`, `Cookie: ${T}`],
    }),
    plain('nobody listens to a publisher', `?access_token=${T}`, {
      method: 'POST',
      headers: [JSON_TYPE],
      body: EVENT,
      statuses,
    }),
  ];
}

/** Those that programs like to tell of in their logs of errors. */
export function requestsOfLogs(): readonly MarkedRequest[] {
  return [...pathRequests(), ...oddRequests()];
}

export function markedHttp2Requests(): readonly MarkedHttp2Request[] {
  const inPath = (what: string, path: string): MarkedHttp2Request => ({
    what: `${what}, over HTTP/2`,
    headers: { ':path': path },
    loggedPath: null,
  });
  const own = (what: string, query: string, headers: Record<string, string> = {}) => {
    lastNumber += 1;
    const loggedPath = pathOf(`k${lastNumber}`);
    return {
      ...inPath(what, loggedPath),
      loggedPath,
      headers: { ':path': loggedPath + query, ...headers },
    };
  };
  return [
    own('in the query', `?access_token=${T}`),
    own('an encoded name', `?access%5Ftoken=${T}&access_token[]=${T};ACCESS_TOKEN=${T}`),
    own('in headers', '', {
      authorization: `Bearer ${T}`,
      cookie: `t=${T}`,
      referer: `https://app.example/?access_token=${T}`,
      'user-agent': T,
      'x-request-id': OPAQUE,
      'x-forwarded-for': T,
    }),
    inPath('a path that is not known', `/${T}?access_token=${T}`),
    inPath('a malformed path', `/realtime/%zz%00${T}`),
    inPath('no slash', T),
    {
      ...inPath('in the authority', pathOf('acme')),
      headers: { ':authority': `${OPAQUE}.example`, ':path': `/?t=${T}` },
    },
    {
      ...inPath('as the method', pathOf('acme')),
      headers: { ':method': OPAQUE, ':path': `/?t=${T}` },
    },
    {
      ...inPath('a path that is too long', pathOf('acme')),
      headers: { ':path': `/${T.repeat(100)}` },
    },
    {
      ...inPath('the service is slow', pathOf(FAULTY_WORKSPACES.slow)),
      headers: { ':path': `${pathOf(FAULTY_WORKSPACES.slow)}?access_token=${T}` },
    },
  ];
}

function percentEncoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('');
}
