import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  eventsPath,
  type Problem,
  revocationsPath,
  type ServiceErrorCode,
  streamTokensPath,
} from '@sluice/protocol';
import request from 'supertest';
import type {
  PermissionChecker,
  PermissionQuestion,
} from '../../server/gate/permission/permission-checker.js';
import {
  type Ask,
  EVENTS,
  expectRefusal,
  inHeader,
  itServesOn,
  type Row,
  table,
  useDoor,
} from '../support/bad-input-table.js';
import { type RawRequest, RawStream, rawRequest } from '../support/raw-http.js';
import { listen, openTestService, type TestService } from '../support/test-service.js';
import { inSeconds } from '../support/tokens.js';

const APP = 'https://app.example';
const OTHER_APP = 'https://other.example';
const STREAM_TOKENS = streamTokensPath('acme');

const door = useDoor({ ALLOWED_ORIGINS: `${APP},${OTHER_APP}` });

const asking = (ask: Ask): Ask => ({ path: STREAM_TOKENS, method: 'POST', ...ask });
const from = (origin: string | null) => (origin === null ? [] : [['Origin', origin] as const]);

interface Issued {
  readonly streamToken: string;
  readonly expiresAt: string;
}

/** Asks for a stream token as a client does. */
async function issue(
  accessToken = door.issuer.mint(),
  { origin = null, workspace = 'acme' }: { origin?: string | null; workspace?: string } = {},
): Promise<Issued> {
  const { status, body } = await rawRequest({
    port: door.service.port,
    method: 'POST',
    path: streamTokensPath(workspace),
    headers: [...(inHeader(accessToken).headers ?? []), ...from(origin)],
  });
  if (status !== 201) throw new Error(`no stream token: ${status} ${body}`);
  const issued = JSON.parse(body) as Issued;
  door.sent.add(accessToken).add(issued.streamToken);
  return issued;
}

interface Use {
  readonly workspace?: string;
  readonly origin?: string | null;
  /** More of the query. */
  readonly query?: string;
}

function useOf(
  streamToken: string,
  { workspace = 'acme', origin = null, query = '' }: Use = {},
): RawRequest {
  return {
    port: door.service.port,
    path: `${eventsPath(workspace)}?stream_token=${streamToken}${query}`,
    headers: from(origin),
  };
}

/** Uses a stream token once: whether it opens a stream, or what it is told instead. */
async function outcomeOf(streamToken: string, use: Use = {}): Promise<unknown> {
  using stream = await RawStream.open(
    useOf(streamToken, { ...use, query: `&errors=stream${use.query ?? ''}` }),
  );
  const { event, data } = await stream.next();
  return event === 'stream.error' ? (data as Problem).code : event;
}

const publish = (token = door.issuer.mint(), path = EVENTS) =>
  rawRequest({
    port: door.service.port,
    method: 'POST',
    path,
    headers: [...(inHeader(token).headers ?? []), ['Content-Type', 'application/json']],
    body: JSON.stringify({ topic: 'orders', type: 'order.created', data: { n: 1 } }),
  });

table(door, 'who asks for a stream token', [
  { what: 'without a token', ask: () => asking({}), code: 'MISSING_TOKEN' },
  {
    what: 'with another scheme',
    ask: () => asking({ headers: [['Authorization', 'Basic YWxpY2U6c2VjcmV0']] }),
    code: 'MISSING_TOKEN',
  },
  ...(
    [
      ['an access token in the address', (t) => ({ path: `${STREAM_TOKENS}?access_token=${t}` })],
      [
        'access tokens in header and address',
        (t) => ({ ...inHeader(t), path: `${STREAM_TOKENS}?access_token=${t}` }),
      ],
      [
        'an access token in brackets',
        (t) => ({ ...inHeader(t), path: `${STREAM_TOKENS}?access_token[]=${t}` }),
      ],
      [
        'a stream token beside an access token',
        (t) => ({ ...inHeader(t), path: `${STREAM_TOKENS}?stream_token=abc` }),
      ],
      [
        'two headers',
        (t) => ({ headers: [...(inHeader(t).headers ?? []), ['Authorization', 'Basic abc']] }),
      ],
    ] satisfies [string, (token: string) => Ask][]
  ).map(
    ([what, ask]): Row => ({
      what: `with ${what}`,
      ask: (t) => asking(ask(t)),
      code: 'INVALID_REQUEST',
    }),
  ),
  {
    what: 'with a token that does not hold',
    ask: (t) => asking(inHeader(`${t}x`)),
    code: 'INVALID_TOKEN',
  },
  {
    what: 'with a token that has expired',
    ask: () => asking(inHeader(door.issuer.mint({ exp: inSeconds(-10) }))),
    code: 'TOKEN_EXPIRED',
  },
  {
    what: 'with a token within the tolerance for clocks',
    ask: () => asking(inHeader(door.issuer.mint({ exp: inSeconds(-1) }))),
    code: 'TOKEN_EXPIRED',
  },
  {
    what: 'with a token of another workspace',
    ask: () => asking(inHeader(door.issuer.mint({ workspace: 'other' }))),
    code: 'WORKSPACE_MISMATCH',
  },
  {
    what: 'without the permission to subscribe',
    ask: () => asking(inHeader(door.issuer.mint({ permissions: ['realtime:publish'] }))),
    code: 'FORBIDDEN',
  },
]);

describe('who asks for a stream token', () => {
  it('gets one that nobody keeps on the way', async () => {
    const before = Date.now();
    const { status, headers, body } = await rawRequest({
      port: door.service.port,
      path: STREAM_TOKENS,
      ...asking(inHeader(door.issuer.mint())),
    });
    expect(status).toBe(201);
    expect(headers.get('content-type')?.[0]).toMatch(/^application\/json/);
    expect(headers.get('cache-control')).toEqual(['no-store']);
    expect(headers.get('referrer-policy')).toEqual(['no-referrer']);
    const { streamToken, expiresAt, ...rest } = JSON.parse(body) as Issued;
    expect(rest).toEqual({});
    expect(streamToken).toMatch(/^sst_[A-Za-z0-9_-]{43}$/);
    expect(expiresAt).toBe(new Date(expiresAt).toISOString());
    expect(Date.parse(expiresAt)).toBeGreaterThanOrEqual(before + 30_000);
    expect(Date.parse(expiresAt)).toBeLessThanOrEqual(Date.now() + 30_000);
  });

  it('is told the end of the access token, where that comes sooner', async () => {
    const exp = inSeconds(10);
    const { expiresAt } = await issue(door.issuer.mint({ exp }));
    expect(Date.parse(expiresAt)).toBe(exp * 1_000);
  });

  it.each([
    ['nothing', ''],
    ['an empty object', '{}'],
    ['no JSON', 'streamToken=abc'],
    ['much', 'x'.repeat(500_000)],
  ])('may send %s along', async (_, body) => {
    const ask = { port: door.service.port, path: STREAM_TOKENS };
    const answer = await rawRequest({ ...ask, ...asking(inHeader(door.issuer.mint())), body });
    expect(answer.status).toBe(201);
  });

  it('gets no more than 100 that are not used', async () => {
    const token = door.issuer.mint({ sub: 'collector' });
    const issued = await Promise.all(Array.from({ length: 100 }, () => issue(token)));
    const ask = { port: door.service.port, path: STREAM_TOKENS, ...asking(inHeader(token)) };
    await expectRefusal(ask, 'RATE_LIMIT_EXCEEDED');
    const { headers, body } = await rawRequest(ask);
    expect(Number(headers.get('retry-after')?.[0])).toBeGreaterThan(0);
    expect((JSON.parse(body) as Problem).retryAfterMs).toBeGreaterThan(0);
    // The ones that stand stay, and each that is used makes room.
    expect(await outcomeOf(issued[0]?.streamToken ?? '')).toBe('stream.connected');
    await issue(token);
    await issue(door.issuer.mint({ sub: 'somebody-else' }));
  });
});

describe('a stream token', () => {
  it('opens a stream in the name of the access token, until its end', async () => {
    const exp = inSeconds(600);
    const { streamToken } = await issue(door.issuer.mint({ sub: 'bob', exp }));
    using stream = await RawStream.open(useOf(streamToken));
    expect((await stream.head).headers.get('referrer-policy')).toEqual(['no-referrer']);
    expect((await stream.next('stream.connected')).data).toMatchObject({
      workspace: 'acme',
      subject: 'bob',
      expiresAt: new Date(exp * 1_000).toISOString(),
    });
    await publish();
    expect((await stream.next('message')).data).toMatchObject({ topic: 'orders' });
  });

  it('resumes where it is asked to', async () => {
    const { body } = await publish();
    const [{ cursor }] = (JSON.parse(body) as { events: [{ cursor: string }] }).events;
    const { body: next } = await publish();
    const [missed] = (JSON.parse(next) as { events: [{ cursor: string }] }).events;
    const { streamToken } = await issue();
    using stream = await RawStream.open(useOf(streamToken, { query: `&last_event_id=${cursor}` }));
    expect((await stream.next('stream.connected')).data).toMatchObject({ resumed: 'complete' });
    expect((await stream.next('message')).id).toBe(missed.cursor);
  });

  it('of a page is good for pages of its origin', async () => {
    const { streamToken } = await issue(door.issuer.mint(), { origin: APP });
    expect(await outcomeOf(streamToken, { origin: APP })).toBe('stream.connected');
  });

  it("of a page of the service's own origin is good for that page, whose GET names no origin", async () => {
    const { streamToken } = await issue(door.issuer.mint(), { origin: door.service.url });
    expect(await outcomeOf(streamToken)).toBe('stream.connected');
  });

  it('is no token for anything else, and stays good', async () => {
    const { streamToken } = await issue();
    const ask = { port: door.service.port, method: 'POST' };
    const query = `?stream_token=${streamToken}`;
    await expectRefusal({ ...ask, path: `${STREAM_TOKENS}${query}` }, 'INVALID_TOKEN');
    await expectRefusal({ ...ask, path: `${EVENTS}${query}` }, 'INVALID_TOKEN');
    const asBearer = { ...ask, ...inHeader(streamToken) };
    await expectRefusal({ ...asBearer, path: STREAM_TOKENS }, 'INVALID_TOKEN');
    await expectRefusal({ ...asBearer, method: 'GET', path: EVENTS }, 'INVALID_TOKEN');
    await expectRefusal(
      { ...ask, method: 'GET', path: `${EVENTS}?access_token=${streamToken}` },
      'INVALID_TOKEN',
    );
    expect(await outcomeOf(streamToken)).toBe('stream.connected');
  });
});

describe('54. a stream token', () => {
  it('is good once', async () => {
    const { streamToken } = await issue();
    using first = await RawStream.open(useOf(streamToken));
    await first.next('stream.connected');
    await expectRefusal(useOf(streamToken), 'INVALID_TOKEN');
    first[Symbol.dispose]();
    await expectRefusal(useOf(streamToken), 'INVALID_TOKEN');
  });

  it('that 50 use at once lets one of them in', async () => {
    const { streamToken } = await issue();
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcomeOf(streamToken)));
    expect(outcomes.filter((outcome) => outcome === 'stream.connected')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'INVALID_TOKEN')).toHaveLength(49);
  });

  it.each<[string, Use, Use, ServiceErrorCode]>([
    ['another workspace', {}, { workspace: 'other' }, 'WORKSPACE_MISMATCH'],
    ['another origin', { origin: APP }, { origin: OTHER_APP }, 'INVALID_TOKEN'],
    ['what is no page', { origin: APP }, {}, 'INVALID_TOKEN'],
    ['a page, though it was given to none', {}, { origin: APP }, 'INVALID_TOKEN'],
  ])('is refused for %s, and used up', async (_, given, used, code) => {
    // The access token itself would be good in both workspaces.
    const access = door.issuer.mint({ workspace: undefined, workspaces: ['acme', 'other'] });
    const { origin = null } = given;
    const { streamToken } = await issue(access, { origin });
    await expectRefusal(useOf(streamToken, used), code);
    await expectRefusal(useOf(streamToken, given), 'INVALID_TOKEN');
  });

  it.each([
    ['unknown', 'A'.repeat(43)],
    ['cut short', 'A'.repeat(42)],
    ['a JWT', 'eyJhbGciOiJub25lIn0.e30.'],
    ['with a line break', `${'A'.repeat(43)}%0d%0a`],
  ])('that is %s is refused', async (_, streamToken) => {
    await expectRefusal(useOf(streamToken), 'INVALID_TOKEN');
  });

  it('tells a browser to stay away with a used one', async () => {
    const { streamToken } = await issue();
    expect(await outcomeOf(streamToken)).toBe('stream.connected');
    using stream = await RawStream.open(useOf(streamToken, { query: '&errors=stream' }));
    expect(await stream.next()).toMatchObject({ data: { code: 'INVALID_TOKEN' } });
    expect(stream.received.items).toContainEqual({ kind: 'retry', ms: 2_147_483_647 });
  });

  it('is refused after the end of its access token', async () => {
    const exp = inSeconds(3);
    const { streamToken } = await issue(door.issuer.mint({ exp }));
    await reach(exp);
    await expectRefusal(useOf(streamToken), 'TOKEN_EXPIRED');
  });

  it.each([
    ['by its id', { jti: 'token-1' }, { jti: 'token-1' }],
    ['by its subject', { sub: 'mallory' }, { sub: 'mallory' }],
  ])('is refused after its access token was revoked %s', async (_, claims, revocation) => {
    const { streamToken } = await issue(door.issuer.mint(claims));
    const admin = door.issuer.mint({ sub: 'root', permissions: ['realtime:admin'] });
    const { status } = await rawRequest({
      port: door.service.port,
      method: 'POST',
      path: revocationsPath('acme'),
      headers: [...(inHeader(admin).headers ?? []), ['Content-Type', 'application/json']],
      body: JSON.stringify(revocation),
    });
    expect(status).toBe(201);
    await expectRefusal(useOf(streamToken), 'INVALID_TOKEN');
  });
});

itServesOn(door);

describe('54. a stream token of a service in this process', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is refused when it is late', async () => {
    await using service = await openTestService();
    await using server = await listen(service.app);
    const { streamToken } = await issueIn(service);
    const now = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 30_000);
    using stream = await RawStream.open({
      port: server.port,
      path: `${EVENTS}?errors=stream&stream_token=${streamToken}`,
    });
    const told = await stream.next();
    clock.mockRestore();
    expect(told).toMatchObject({ event: 'stream.error', data: { code: 'INVALID_TOKEN' } });
  });

  it('is refused when the permission was withdrawn meanwhile, whatever was decided before', async () => {
    const asked: PermissionQuestion[] = [];
    let isAllowed = true;
    const permissionChecker: PermissionChecker = {
      check: (question) => {
        asked.push(question);
        return { allowed: isAllowed };
      },
    };
    await using service = await openTestService({}, { permissionChecker });
    await using server = await listen(service.app);
    const { streamToken } = await issueIn(service);
    isAllowed = false;
    using stream = await RawStream.open({
      port: server.port,
      path: `${EVENTS}?topics=orders&errors=stream&stream_token=${streamToken}`,
    });
    expect(await stream.next()).toMatchObject({
      event: 'stream.error',
      data: { code: 'FORBIDDEN' },
    });
    expect(asked).toMatchObject([
      { permission: 'realtime:subscribe', topics: null },
      { permission: 'realtime:subscribe', topics: ['orders'], mustBeFresh: true },
    ]);
  });

  it('is given to a principal that may see some topics, and opens a stream of these alone', async () => {
    const permissionChecker: PermissionChecker = {
      check: ({ permission }) =>
        permission === 'realtime:subscribe'
          ? { allowed: true, topics: ['document-*'] }
          : { allowed: true },
    };
    await using service = await openTestService({}, { permissionChecker });
    const { streamToken } = await issueIn(service);
    await using server = await listen(service.app);
    using stream = await RawStream.open({
      port: server.port,
      path: `${EVENTS}?stream_token=${streamToken}`,
    });
    await stream.next('stream.connected');
    for (const topic of ['orders', 'document-7']) {
      await request(service.app)
        .post(EVENTS)
        .set('Authorization', `Bearer ${service.token()}`)
        .send({ topic, type: 'changed' })
        .expect(201);
    }
    expect((await stream.next('message')).data).toMatchObject({ topic: 'document-7' });
  });

  it('is given to nobody who may see no topic', async () => {
    const permissionChecker: PermissionChecker = { check: () => ({ allowed: true, topics: [] }) };
    await using service = await openTestService({}, { permissionChecker });
    const { status } = await request(service.app)
      .post(STREAM_TOKENS)
      .set('Authorization', `Bearer ${service.token()}`);
    expect(status).toBe(403);
  });
});

async function issueIn(service: TestService): Promise<Issued> {
  const { body } = await request(service.app)
    .post(STREAM_TOKENS)
    .set('Authorization', `Bearer ${service.token()}`)
    .expect(201);
  return body as Issued;
}

/** Waits until a time, in seconds since 1970, is over. */
async function reach(seconds: number): Promise<void> {
  while (Date.now() < seconds * 1_000) await delay(Math.max(1, seconds * 1_000 - Date.now()));
}
