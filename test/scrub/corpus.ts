/** A JWT as a service signs it, and one that is encrypted. */
const JWT = 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MX0.c2lnbmF0dXJl-_0';
const JWE = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXZpdml2aXY.Y2lwaGVydGV4dA.dGFn';
const STREAM_TOKEN = 'sst_1kEo1VXTc5rfS2VmQ0dZKQ4b8n6cXqBvZb0bIY2Pb9w';
const CLIENT_SECRET = 'scs_Zq0eVXTc5rfS2VmQ0dZKQ4b8n6cXqBvZb0bIY2Pb9-_';
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';

/**
 * Lines as programs write them, and lines that are like those with secrets. What stands between ⟦ and ⟧ is secret, and nothing else.
 * `beyond`: recipes by regular expression do not tell this one as the filter does.
 */
export interface CorpusLine {
  readonly name: string;
  readonly line: string;
  readonly beyond?: true;
}

const line = (name: string, text: string): CorpusLine => ({ name, line: text });
const beyond = (name: string, text: string): CorpusLine => ({ name, line: text, beyond: true });

const LOGS: readonly CorpusLine[] = [
  line(
    'nginx combined',
    `203.0.113.7 - - [21/Nov/2026:18:01:34 +0000] "GET /realtime/workspace/acme/events?topics=a&access_token=⟦${JWT}⟧&types=b HTTP/1.1" 200 5 "-" "${AGENT}"`,
  ),
  line(
    'nginx, token last',
    `203.0.113.7 - - [t] "GET /e?access_token=⟦opaque-1⟧ HTTP/2.0" 200 5 "-" "curl/8"`,
  ),
  line('nginx, duplicated', '"GET /e?access_token=⟦a⟧&access_token=⟦b⟧ HTTP/1.1" 400'),
  line('nginx, encoded name', '"GET /e?%61ccess%5Ftoken=⟦abc⟧&x=1 HTTP/1.1" 200'),
  line(
    'nginx, every letter encoded',
    '"GET /e?%61%63%63%65%73%73%5f%74%6F%6b%65%6e=⟦abc⟧ HTTP/1.1" 200',
  ),
  line('nginx, name encoded twice', '"GET /e?%2561ccess%255Ftoken=⟦abc⟧&x=1 HTTP/1.1" 200'),
  line('nginx, name encoded three times', '"GET /e?access%25255Ftoken=⟦abc⟧ HTTP/1.1" 200'),
  line(
    'nginx, brackets',
    '"GET /e?access_token[]=⟦a⟧&access_token[0]=⟦b⟧&access_token%5B%5D=⟦c⟧ HTTP/1.1" 200',
  ),
  line(
    'nginx, semicolons and case',
    '"GET /e?x=1;ACCESS_TOKEN=⟦abc⟧;Access_Token=⟦def⟧;y=2 HTTP/1.1" 200',
  ),
  line(
    'nginx, Referer',
    '"GET / HTTP/1.1" 200 5 "https://app.example/cb?stream_token=⟦abc⟧&x=1" "curl/8"',
  ),
  line(
    'nginx, URL within the Referer',
    '"https://app.example/login?next=%2Fe%3Faccess_token%3D⟦abc%2Bd⟧%26x%3D1&y=2" "curl/8"',
  ),
  line(
    'nginx, URL within a URL within it',
    '"https://app.example/?a=%3Fb%3D%253Faccess_token%253D⟦abc⟧%2526c&d=1"',
  ),
  line(
    'nginx error log',
    `2026/11/21 18:01:34 [error] 7#7: *1 upstream timed out, request: "GET /e?access_token=⟦${JWT}⟧ HTTP/1.1", upstream: "http://127.0.0.1/e?access_token=⟦${JWT}⟧", host: "h"`,
  ),
  line(
    'nginx, JSON in hexadecimal escapes',
    '{\\x22access_token\\x22:\\x22⟦abc⟧\\x22,\\x22a\\x22:1}',
  ),
  line('Apache combined, token cut off', `"GET /e?x=⟦${JWT.slice(0, 60)}⟧`),
  line(
    'Apache error log',
    `[authz:error] [pid 7] AH01630: client denied: /e, referer: https://a.example/?access_token=⟦abc⟧`,
  ),
  line(
    'Apache, quotes escaped',
    '"GET / HTTP/1.1" 200 "{\\"access_token\\":\\"⟦abc⟧\\",\\"a\\":1}"',
  ),
  line(
    'HAProxy',
    'haproxy[7]: 203.0.113.7:5 [t] fe be/s1 0/0/1/2/3 200 5 - - ---- 1/1/0/0/0 0/0 {h.example|} "GET /e?access_token=⟦abc⟧ HTTP/1.1"',
  ),
  line(
    'HAProxy, captured headers',
    `{Bearer ⟦${JWT}⟧|curl/8} {text/event-stream} "GET /e HTTP/1.1"`,
  ),
  line(
    'Caddy',
    `{"level":"info","request":{"uri":"/e?access_token=⟦abc⟧\\u0026x=1","headers":{"Authorization":["Bearer ⟦x1⟧"],"Accept":["*/*"]}},"status":200}`,
  ),
  beyond('Caddy, two credentials', '"Authorization":["Bearer ⟦a⟧","Basic ⟦b⟧"],"Accept":["a","b"]'),
  line(
    'Varnish',
    `-   ReqURL         /e?access_token=⟦abc⟧&x=1\n-   ReqHeader      Authorization: Bearer ⟦abc⟧\n-   VCL_call       RECV`,
  ),
  line(
    'Envoy',
    '[2026-11-21T18:01:34.000Z] "GET /e?access_token=⟦abc⟧ HTTP/2" 200 - 0 5 1 - "-" "curl/8" "id" "h" "10.0.0.1:80"',
  ),
  line(
    'Envoy, JSON',
    '{"path":"/e?access_token=⟦abc⟧","authorization":"Bearer ⟦abc⟧","x-access-token":"⟦abc⟧","a":1}',
  ),
  line(
    'Traefik',
    '203.0.113.7 - - [t] "GET /e?stream_token=⟦abc⟧ HTTP/1.1" 200 5 "-" "-" 1 "r@docker" "http://10.0.0.1" 2ms',
  ),
  line(
    'Traefik, JSON',
    '{"RequestPath":"/e?stream_token=⟦abc⟧","request_Authorization":"Basic ⟦dXNlcjpwYXNz⟧","a":1}',
  ),
  line(
    'AWS ALB',
    `h2 2026-11-21T18:01:34.1Z app/a/5 203.0.113.7:5 10.0.0.1:80 0.0 0.1 0.0 200 200 5 5 "GET https://h.example:443/e?access_token=⟦${JWT}⟧ HTTP/2.0" "${AGENT}" ECDHE TLSv1.2`,
  ),
  line(
    'CloudFront',
    '2026-11-21\t18:01:34\tFRA5\t5\t203.0.113.7\tGET\th.example\t/e\t200\thttps://a.example/?access_token=⟦abc⟧\tMozilla/5.0%20(X11)\taccess_token=⟦abc⟧&x=1\t-\tHit',
  ),
  line(
    'CloudFront, encoded again',
    '\t/e\t200\t-\tcurl/8\taccess%255Ftoken%253D⟦abc⟧%2526x%253D1\t-\tMiss',
  ),
  line(
    'Cloudflare',
    `{"ClientRequestURI":"/e?access_token=⟦abc⟧&x=1","ClientRequestReferer":"https://a.example/?q=%3Fstream_token%3D⟦abc⟧%26y","EdgeResponseStatus":200}`,
  ),
  line(
    'pino',
    `{"level":30,"req":{"url":"/e?access_token=⟦abc⟧","headers":{"authorization":"Bearer ⟦abc⟧","host":"h"}},"msg":"request"}`,
  ),
  beyond(
    'pino, raw headers',
    '{"rawHeaders":["Host","h","Authorization","Bearer ⟦abc⟧","Accept","*/*"]}',
  ),
  line(
    'journald export',
    `__CURSOR=s=1\n_PID=7\nMESSAGE=GET /e?access_token=⟦abc⟧&x=1 200\nPRIORITY=6\n`,
  ),
  line('logfmt', 'level=info path=/e access_token=⟦abc⟧ client_secret="⟦a b&c⟧" status=200'),
  line('curl -v', '> GET /e HTTP/1.1\r\n> Authorization: Bearer ⟦abc.def⟧\r\n> Accept: */*\r\n'),
  line('curl -v, proxy', '> Proxy-Authorization: Basic ⟦dXNlcjpwYXNz⟧\r\n> Host: h\r\n'),
];

const FORMS: readonly CorpusLine[] = [
  line(
    'one letter encoded',
    'access_t%6Fken=⟦a⟧&client_s%65cret=⟦b⟧&authori%7Aation=⟦c⟧&author%69zation=⟦d⟧',
  ),
  line('encoded six times', '?access%25252525255Ftoken=⟦a⟧&x=1'),
  beyond('encoded once more than its separator', '?u=%3Faccess_token%3D⟦a%2526b⟧%26x&y=1'),
  line(
    'settings',
    'SLUICE_TOKEN=⟦abc⟧ JWT_SECRET=⟦a-long-one⟧ ISSUER_KEY_SECRET="⟦an other⟧" AUTHZEN_TOKEN: ⟦x⟧ key=1',
  ),
  line('form', 'grant_type=client_credentials&client_id=a&client_secret=⟦s%26p+q⟧&scope=b'),
  line(
    'token endpoint',
    `{"access_token":"⟦${JWT}⟧","token_type":"Bearer","expires_in":300,"refresh_token":"⟦abc⟧","id_token":"⟦${JWT}⟧"}`,
  ),
  line(
    'stream token endpoint',
    `{"streamToken":"⟦${STREAM_TOKEN}⟧","expiresAt":"2026-11-20T21:07:47.000Z"}`,
  ),
  line('JSON, blanks', '{ "access_token" : "⟦abc⟧" , "a" : 1 }'),
  line('JSON in JSON', '{"body":"{\\"client_secret\\":\\"⟦abc⟧\\",\\"a\\":1}","b":2}'),
  line('JSON in JSON in JSON', '"{\\\\\\"token\\\\\\":\\\\\\"⟦abc⟧\\\\\\",\\\\\\"a\\\\\\":1}"'),
  line('JSON, a quote within', '{"client_secret":"⟦a\\"b\\\\⟧","a":1}'),
  line('JSON, escaped slashes', '"url":"https:\\/\\/h\\/e?access_token=⟦ab\\/c⟧\\u0026x=1"'),
  line('JSON, escaped equals', '"url":"/e?access_token\\u003d⟦abc\\u003d\\u003d⟧\\u0026x\\u003d1"'),
  line('JSON, escaped name', '{"\\u0061ccess\\u005ftoken":"⟦abc⟧"}'),
  line('JSON, array', '{"access_token":["⟦a⟧"],"b":["c"]}'),
  line('JSON, encoded in a URL', '?state=%7B%22access_token%22%3A%22⟦abc⟧%22%2C%22a%22%3A1%7D&x=1'),
  line('HTML', '<a href="/e?access_token=⟦abc⟧&amp;x=1">'),
  line(
    'HTML, JSON within',
    'data-state="{&quot;access_token&quot;:&quot;⟦abc⟧&quot;,&quot;a&quot;:1}"',
  ),
  line('Python', "{'access_token': '⟦abc⟧', 'client_secret': b'⟦abc⟧', 'a': 1}"),
  line('Ruby', '{"access_token"=>"⟦abc⟧", :a=>1}'),
  line('YAML', 'access_token: ⟦abc⟧\nclient_secret: "⟦abc⟧"\n'),
  line('ini', 'client_secret = ⟦abc⟧\nclient_id = a\n'),
  line('environment', 'SLUICE_ACCESS_TOKEN=⟦abc⟧ SLUICE_URL=http://h'),
  line('Java map', '{access_token=⟦abc⟧, a=1}'),
  line('CSV', '7,/e?access_token=⟦abc⟧,200'),
  line('cookie', 'Cookie: a=1; access_token=⟦abc⟧; b=2'),
  line('fragment', 'https://a.example/#access_token=⟦abc⟧&token_type=bearer'),
  line('query token', '/introspect?token=⟦abc⟧&token_type_hint=access_token'),
  line('DPoP', `Authorization: DPoP ⟦abc⟧\nDPoP: ⟦${JWT}⟧\n`),
  line('header, no scheme', 'authorization: ⟦abc⟧\nx: 200'),
  beyond('header, another scheme', '> Authorization: ⟦GNAP abc⟧\r\n> Host: h\r\n'),
  beyond('header, a scheme of one’s own', `curl -H "Authorization: ⟦Acme a b; c/d=⟧" http://h`),
  beyond(
    'AWS signature',
    'Authorization: ⟦AWS4-HMAC-SHA256 Credential=A/2026/eu/s3/aws4_request, SignedHeaders=host;date, Signature=fe5f⟧\nx: y',
  ),
  beyond(
    'HTTP signature',
    'Authorization: ⟦Signature keyId="a b",headers="(x) c",signature="d=="⟧\nx',
  ),
  beyond(
    'HTTP signature in JSON',
    '{"msg":"sent Authorization: ⟦Signature keyId=\\"a b\\",signature=\\"c=\\"⟧","status":200}',
  ),
  beyond(
    'HTTP signature in JSON, cut off',
    '{"msg":"Authorization: ⟦Signature keyId=\\"a b⟧","status":"a=b"}',
  ),
  beyond(
    'HTTP signature, cut off before another header',
    'Authorization: ⟦Signature keyId="a b⟧\n"Authorization: ⟦GNAP a⟧" b "c"',
  ),
  beyond('another scheme in JSON', '{"line":"Authorization: ⟦GNAP YWI=⟧","a":["b"]}'),
  beyond('another scheme in JSON, more lines', '"Authorization: ⟦GNAP abc⟧\\r\\nHost: h\\r\\n"'),
  line('another scheme as a value in JSON', '{"authorization":"⟦GNAP a, b⟧","a":1}'),
  beyond(
    'another scheme in hexadecimal escapes',
    '\\x22authorization\\x22:\\x22⟦GNAP a, b⟧\\x22 200',
  ),
  line('another scheme in a URL', '?authorization=⟦GNAP%20abc⟧&x=1'),
  beyond('another scheme in an encoded URL', '?u=authorization%3A⟦GNAP%20abc⟧&y'),
  beyond('Go map', 'map[Accept:[*/*] Authorization:[⟦GNAP abc⟧] Host:[h]]'),
  beyond('Digest', 'Authorization: Digest ⟦username="a", nonce="b", response="c"⟧\r\nHost: h'),
  beyond(
    'JSON in CSV',
    '7,"{""access_token"":""⟦abc⟧"",""a"":1,""token"":""⟦b⟧"",""id_token"":""""}"',
  ),
  beyond('colour before a value', '\x1b[36maccess_token=\x1b[0m⟦abc⟧ \x1b[36mstatus=\x1b[0m200'),
  beyond(
    'colour before a quote',
    "{ access_token: \x1b[32m'⟦abc⟧'\x1b[39m, a: \x1b[33m1\x1b[39m }",
  ),
  beyond('colour after a name', '\x1b[36maccess_token\x1b[0m=\x1b[1;32m⟦abc⟧\x1b[0m x'),
  beyond('colour in JSON', '{"msg":"access_token=\\u001b[0m⟦abc⟧\\u001b[0m"}'),
  line('header in a URL', '?authorization=Bearer%20⟦abc⟧&x=1'),
  line('bare JWT', `token refused (${`⟦${JWT}⟧`}) by check`),
  line('bare JWE', `got ⟦${JWE}⟧ from`),
  line('bare JWT, dots encoded', `/e/⟦${JWT.replaceAll('.', '%2E')}⟧/x`),
  line('bare JWT, cut off', `got ⟦${JWT.slice(0, 50)}⟧\n`),
  line('bare stream token', `used twice: ⟦${STREAM_TOKEN}⟧, refused`),
  line('bare client secret', `secret ⟦${CLIENT_SECRET}⟧ of`),
  line('bare Basic', 'sent Basic ⟦QWxhZGRpbjpvcGVuIHNlc2FtZQ==⟧ to'),
  line('bare Bearer', 'sent bearer ⟦mF_9.B5f-4.1JqM⟧ to'),
  line('binary', '\0\x80\xffaccess_token=⟦a\x80b\xff⟧\0\x01'),
  beyond('JSON number', '{"a":{"token":null},"access_token":"⟦12⟧"}'),
];

const NO_SECRETS: readonly CorpusLine[] = [
  'the bearer of news has no token: it was lost',
  'token_count=5&access_token_lifetime=300&access_tokens=2',
  'WWW-Authenticate: Bearer realm="sluice", error="invalid_token", error_description="The token has expired."',
  '{"code":"INVALID_TOKEN","token_type":"Bearer","grant_type":"client_credentials"}',
  'INVALID_TOKEN: The token is malformed. TOKEN_EXPIRED: no',
  'Unexpected token: } in JSON; unexpected token = there',
  'cursor eyJvZmZzZXQiOjEyLCJhIjoiYiJ9 and "eyJvZmZzZXQiOjEyLCJhIjoiYiJ9"',
  'basic authentication, Basic Authentication, bearer HTTP/1.1',
  '{"access_token":null,"id_token":true,"stream_token":{"a":"b"}}',
  '?access_token=&x=1 "access_token":"" access_token= HTTP/1.1',
  'sst_short scs_short first_name asst_abc',
  'GET /access_token/stream_token?id=authorization HTTP/1.1',
  'Authorization: Bearer *scrubbed* access_token=*scrubbed*',
].map((text) => line(`nothing in: ${text}`, text));

export const CORPUS: readonly CorpusLine[] = [...LOGS, ...FORMS, ...NO_SECRETS];

/** @returns the line as it is written, and as it shall be */
export function corpusTexts({ line: marked }: CorpusLine) {
  const text = Buffer.from(marked.replace(/[⟦⟧]/g, ''), isLatin(marked) ? 'latin1' : 'utf8');
  const scrubbed = marked.replace(/⟦[^⟧]*⟧/g, '*scrubbed*');
  return { text, expected: Buffer.from(scrubbed, isLatin(marked) ? 'latin1' : 'utf8') };
}

function isLatin(marked: string): boolean {
  return /[\x80-\xff]/.test(marked);
}
