import { describe, expect, it } from '@jest/globals';
import type { ServiceErrorCode } from '@sluice/protocol';
import {
  type Ask,
  EVENTS,
  expectRefusal,
  inHeader,
  inQuery,
  type Row,
  table,
  useDoor,
} from '../support/bad-input-table.js';
import { RawStream, rawRequest } from '../support/raw-http.js';
import { inSeconds } from '../support/tokens.js';

// Access tokens in the address of a request (RFC 9700, section 4.3.2): as far as the settings accept them, and no further.

const BODY = '{"topic":"orders","type":"order.created"}';
const JSON_TYPE = ['Content-Type', 'application/json'] as const;

const publishing = (ask: Ask): Ask => ({
  ...ask,
  method: 'POST',
  headers: [...(ask.headers ?? []), JSON_TYPE],
  body: BODY,
});
const both = (what: string, code: ServiceErrorCode, ask: (token: string) => Ask): Row[] => [
  { what: `${what}, to subscribe`, code, ask },
  { what: `${what}, to publish`, code, ask: (token) => publishing(ask(token)) },
];

describe('with QUERY_TOKENS=false', () => {
  const door = useDoor({ QUERY_TOKENS: 'false' });

  table(door, 'an access token in the address', [
    ...both('that holds', 'INVALID_REQUEST', (t) => inQuery(`access_token=${t}`)),
    ...both('that does not hold', 'INVALID_REQUEST', () => inQuery('access_token=x.y.z')),
    ...both('beside another scheme', 'INVALID_REQUEST', (t) => ({
      ...inQuery(`access_token=${t}`),
      headers: [['Authorization', 'Basic YWxpY2U6c2VjcmV0']],
    })),
  ]);

  it('is told in the stream where that is asked for', async () => {
    const path = `${EVENTS}?errors=stream&access_token=${door.issuer.mint()}`;
    using stream = await RawStream.open({ port: door.service.port, path });
    expect(await stream.next()).toMatchObject({
      event: 'stream.error',
      data: { code: 'INVALID_REQUEST' },
    });
  });

  it('leaves the header and stream tokens', async () => {
    const request = { port: door.service.port, path: EVENTS, ...inHeader(door.issuer.mint()) };
    using stream = await RawStream.open(request);
    expect((await stream.head).status).toBe(200);
    const path = '/realtime/workspace/acme/stream-tokens';
    const { status, body } = await rawRequest({ ...request, method: 'POST', path });
    expect(status).toBe(201);
    const { streamToken } = JSON.parse(body) as { streamToken: string };
    using other = await RawStream.open({
      port: door.service.port,
      path: `${EVENTS}?stream_token=${streamToken}`,
    });
    expect((await other.head).status).toBe(200);
  });
});

describe('with QUERY_TOKEN_MAX_LIFETIME_SECONDS=60', () => {
  const door = useDoor({ QUERY_TOKEN_MAX_LIFETIME_SECONDS: '60' });
  /** A token by when it was made and when it ends, in seconds from now. */
  const lasting = (iat: number | undefined, exp: number) => {
    const made = iat === undefined ? {} : { iat: inSeconds(iat) };
    return door.signed({}, { ...door.claims(), ...made, exp: inSeconds(exp) });
  };
  const minted = (iat: number | undefined, exp: number) => () =>
    inQuery(`access_token=${lasting(iat, exp)}`);

  table(door, 'an access token in the address', [
    ...both('of an hour', 'INVALID_REQUEST', minted(0, 3_600)),
    ...both('of 61 seconds', 'INVALID_REQUEST', minted(0, 61)),
    ...both('of an hour, of which a minute is left', 'INVALID_REQUEST', minted(-3_550, 50)),
    ...both('that says no start, and ends late', 'INVALID_REQUEST', minted(undefined, 90)),
    ...both('of an hour that has expired', 'TOKEN_EXPIRED', minted(-3_600, -10)),
    ...both('that does not hold', 'INVALID_TOKEN', () => inQuery('access_token=x.y.z')),
  ]);

  it.each([
    ['of a minute', 0, 60],
    ['that says no start, and ends soon', undefined, 50],
  ])('is accepted %s', async (_, iat, exp) => {
    const ask = { port: door.service.port, path: EVENTS, ...minted(iat, exp)() };
    using stream = await RawStream.open(ask);
    expect((await stream.head).status).toBe(200);
    const { status } = await rawRequest({ ...ask, ...publishing({}) });
    expect(status).toBe(201);
  });

  it('is accepted in the header, however long it lives', async () => {
    const ask = inHeader(lasting(0, 3_600));
    using stream = await RawStream.open({ port: door.service.port, path: EVENTS, ...ask });
    expect((await stream.head).status).toBe(200);
  });

  it('is no way around by a second one', async () => {
    const token = lasting(0, 3_600);
    const query = `access_token=${token}&access_token=${lasting(0, 30)}`;
    await expectRefusal(
      { port: door.service.port, path: EVENTS, ...inQuery(query) },
      'INVALID_REQUEST',
    );
  });
});
