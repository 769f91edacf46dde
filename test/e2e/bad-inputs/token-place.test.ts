import { describe, expect, it } from '@jest/globals';
import {
  EVENTS,
  inHeader,
  inQuery,
  itServesOn,
  type Row,
  table,
  useDoor,
} from '../../support/bad-input-table.js';
import { RawStream, rawRequest } from '../../support/raw-http.js';

const door = useDoor();

const PLACES: readonly Row[] = [
  { what: '1. no token', ask: () => ({}), code: 'MISSING_TOKEN' },
  { what: '2. empty', ask: () => inQuery('access_token='), code: 'INVALID_REQUEST' },
  { what: '2. empty, with no sign', ask: () => inQuery('access_token'), code: 'INVALID_REQUEST' },
  {
    what: '2. an empty stream token',
    ask: () => inQuery('stream_token='),
    code: 'INVALID_REQUEST',
  },
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
  {
    what: '3. twice, one of them empty',
    ask: (t) => inQuery(`access_token=&access_token=${t}`),
    code: 'INVALID_REQUEST',
  },
  {
    what: '3. a stream token twice',
    ask: () => inQuery('stream_token=abc&stream_token=abc'),
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
    what: '5. in capitals, as a scheme',
    ask: (t) => inQuery(`Bearer=${t}`),
    code: 'MISSING_TOKEN',
  },
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
    what: '7. two headers, the first of another scheme',
    ask: (t) => ({
      headers: [
        ['Authorization', 'Basic YWxpY2U6c2VjcmV0'],
        ['Authorization', `Bearer ${t}`],
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
    what: '9. over 8 KB in the query',
    ask: () => inQuery(`access_token=${'a'.repeat(8_193)}`),
    code: 'INVALID_REQUEST',
  },
  {
    what: '9. of 60 KB',
    ask: () => ({ headers: [['Authorization', `Bearer ${'a'.repeat(60_000)}`]] }),
    code: 'INVALID_REQUEST',
  },
  {
    what: '9. of 8 KB, which is looked at',
    ask: () => ({ headers: [['Authorization', `Bearer ${'a'.repeat(8_192)}`]] }),
    code: 'INVALID_TOKEN',
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
];

table(door, 'where the token is', PLACES);

table(
  door,
  'where the token of a publisher is',
  PLACES.map(({ what, ask, code }) => ({
    what,
    code,
    ask: (token) => ({
      ...ask(token),
      method: 'POST',
      headers: [...(ask(token).headers ?? []), ['Content-Type', 'application/json']],
      body: '{"topic":"orders","type":"order.created"}',
    }),
  })),
);

describe('the gate', () => {
  it('lets in the token that all of these are variations of, each way', async () => {
    for (const ask of [
      inHeader(door.issuer.mint()),
      inQuery(`access_token=${door.issuer.mint()}`),
      inHeader(door.issuer.mint({}, { key: door.rsa })),
      inHeader(door.issuer.mint({}, { key: door.p384 })),
      inHeader(
        door.issuer.mint({
          workspace: undefined,
          workspaces: ['other', 'acme'],
          permissions: undefined,
          scope: 'openid realtime:subscribe',
        }),
      ),
    ]) {
      using stream = await RawStream.open({ port: door.service.port, path: EVENTS, ...ask });
      expect((await stream.head).status).toBe(200);
      expect(await stream.next()).toMatchObject({
        event: 'stream.connected',
        data: { workspace: 'acme', subject: 'alice' },
      });
    }
  });

  it('challenges a request without a token barely (RFC 6750, section 3.1)', async () => {
    const { headers } = await rawRequest({ port: door.service.port, path: EVENTS });
    expect(headers.get('www-authenticate')?.[0]).toBe('Bearer');
  });

  describe('9. a request line', () => {
    const ask = (length: number) => {
      const rest = `GET ${EVENTS}?x= HTTP/1.1`.length;
      const path = `${EVENTS}?x=${'a'.repeat(length - rest)}`;
      return rawRequest({ port: door.service.port, path });
    };

    it.each([16_385, 17_000, 60_000, 100_000])('of %d bytes is answered 431', async (length) => {
      const { status, body } = await ask(length);
      expect(status).toBe(431);
      expect(body).toBe('');
    });

    it('of 16 KB is read', async () => {
      expect((await ask(16_384)).status).toBe(401);
    });
  });
});

itServesOn(door);
