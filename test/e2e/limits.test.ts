import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventsPath, type Problem } from '@sluice/protocol';
import request from 'supertest';
import { type Playground, startPlayground } from '../support/playground.js';
import { type RawResponse, RawStream, rawRequest } from '../support/raw-http.js';
import type { Service } from '../support/service.js';
import { EVENTS, openTestService } from '../support/test-service.js';
import type { Claims } from '../support/tokens.js';

// How many streams there may be, and how many attempts may fail: one more is refused, and those that stand stay.

interface Visitor {
  readonly workspace?: string;
  readonly subject?: string;
  /** Where a proxy says that it is. */
  readonly from?: string;
  readonly query?: string;
}

function requestOf({ service, issuer }: Playground, visitor: Visitor, claims: Claims = {}) {
  const { workspace = 'acme', subject = 'alice', from, query = '' } = visitor;
  const token = issuer.mint({ sub: subject, workspace, ...claims });
  const headers: [string, string][] = [['Authorization', `Bearer ${token}`]];
  if (from !== undefined) headers.push(['X-Forwarded-For', from]);
  return { port: service.port, path: eventsPath(workspace) + query, headers };
}

/** A refusal of one stream too many. */
function expectTooMany({ status, headers, body }: RawResponse, detail: string): void {
  const problem = JSON.parse(body) as Problem;
  expect(status).toBe(429);
  expect(problem).toMatchObject({
    code: 'RATE_LIMIT_EXCEEDED',
    recoverable: true,
    detail,
    retryAfterMs: expect.any(Number),
  });
  const seconds = Math.ceil((problem.retryAfterMs ?? 0) / 1_000);
  expect(headers.get('retry-after')).toEqual([String(seconds)]);
}

/** A stream that is open; comes back until those that left a moment ago have left their places. */
async function open(playground: Playground, visitor: Visitor): Promise<RawStream> {
  for (;;) {
    const stream = await RawStream.open(requestOf(playground, visitor));
    if ((await stream.head).status === 200) {
      await stream.next('stream.connected');
      return stream;
    }
    stream[Symbol.dispose]();
  }
}

async function expectAlive({ service, issuer }: Playground, stream: RawStream, workspace: string) {
  const token = issuer.mint({ sub: 'press', workspace });
  const response = await fetch(service.url + eventsPath(workspace), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ topic: 'orders', type: 'order.created' }),
  });
  const { events } = (await response.json()) as { events: { cursor: string }[] };
  await stream.received.find((item) => item.kind === 'event' && item.id === events[0]?.cursor);
}

describe('a place', () => {
  it('is not taken by a stream that could not be opened', async () => {
    await using service = await openTestService({ MAX_STREAMS_PER_SUBJECT: '1' });
    await service.service.hub.drain(0);
    for (let n = 0; n < 3; n++) {
      const { body } = await request(service.app)
        .get(EVENTS)
        .set('Authorization', `Bearer ${service.token()}`)
        .expect(503);
      expect(body).toMatchObject({ code: 'UNAVAILABLE' });
    }
  });
});

describe('the streams that may be open', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await startPlayground({
      env: {
        MAX_STREAMS: '6',
        MAX_STREAMS_PER_SUBJECT: '2',
        MAX_STREAMS_PER_WORKSPACE: '3',
        MAX_STREAMS_PER_ADDRESS: '4',
        TRUST_PROXY: '1',
        HEARTBEAT_MS: '200',
      },
    });
  });
  afterAll(async () => {
    await playground[Symbol.asyncDispose]();
  });

  it.each<[string, Visitor[], tooMany: Visitor, other: Visitor, detail: string]>([
    [
      'the subject',
      [
        { workspace: 'a', from: '192.0.2.1' },
        { workspace: 'b', from: '192.0.2.2' },
      ],
      { workspace: 'c', from: '192.0.2.3' },
      { subject: 'bob' },
      'The subject has as many streams as it may.',
    ],
    [
      'the workspace',
      [{ subject: 's1' }, { subject: 's2' }, { subject: 's3', from: '192.0.2.2' }],
      { subject: 's4', from: '192.0.2.3' },
      { workspace: 'b' },
      'The workspace has as many streams as it may.',
    ],
    [
      'the address',
      [
        { subject: 's1', workspace: 'a', from: '2001:db8:1:2::1' },
        { subject: 's2', workspace: 'b', from: '2001:db8:1:2::1' },
        { subject: 's3', workspace: 'c', from: '2001:db8:1:2::2' },
        { subject: 's4', workspace: 'd', from: '2001:db8:1:2:ffff::3' },
      ],
      { subject: 's5', workspace: 'e', from: '2001:db8:1:2:3:4:5:6' },
      { subject: 's6', from: '2001:db8:1:3::1' },
      'This address has as many streams as it may.',
    ],
  ])(
    'of %s are so many; one more is refused, the others stay, and a place that is left is free',
    async (_, visitors, tooMany, other, detail) => {
      const streams: RawStream[] = [];
      for (const visitor of visitors) streams.push(await open(playground, visitor));
      expectTooMany(await rawRequest(requestOf(playground, tooMany)), detail);
      streams.push(await open(playground, other));
      for (const [index, visitor] of [...visitors, other].entries()) {
        await expectAlive(playground, streams[index] as RawStream, visitor.workspace ?? 'acme');
      }
      streams.shift()?.[Symbol.dispose]();
      streams.push(await open(playground, tooMany));
      for (const stream of streams) stream[Symbol.dispose]();
    },
  );

  it('of the node are so many, whoever asks', async () => {
    const visitor = (n: number): Visitor => ({
      subject: `s${n}`,
      workspace: `w${n}`,
      from: `192.0.2.${n}`,
    });
    const streams: RawStream[] = [];
    for (let n = 1; n <= 6; n++) streams.push(await open(playground, visitor(n)));
    const detail = 'This node has as many streams as it may.';
    const refusals = await Promise.all(
      Array.from({ length: 10 }, () => rawRequest(requestOf(playground, visitor(7)))),
    );
    for (const refusal of refusals) expectTooMany(refusal, detail);
    // Those who were refused together do not come back together.
    const waits = refusals.map(({ body }) => (JSON.parse(body) as Problem).retryAfterMs);
    expect(new Set(waits).size).toBeGreaterThan(5);

    const request = requestOf(playground, { ...visitor(7), query: '?errors=stream' });
    using told = await RawStream.open(request);
    expect((await told.head).status).toBe(200);
    expect(await told.next('stream.error')).toMatchObject({
      data: { code: 'RATE_LIMIT_EXCEEDED', detail },
    });
    for (const [index, stream] of streams.entries()) {
      await expectAlive(playground, stream, `w${index + 1}`);
    }
    streams.shift()?.[Symbol.dispose]();
    streams.push(await open(playground, visitor(7)));
    for (const stream of streams) stream[Symbol.dispose]();
  });

  it('are no fewer for those who were refused, or left before their stream was open', async () => {
    const claims = { permissions: [] };
    for (let n = 0; n < 10; n++) {
      const { status } = await rawRequest(requestOf(playground, {}, claims));
      expect(status).toBe(403);
    }
    const hasty = Array.from({ length: 20 }, () => new RawStream(requestOf(playground, {})));
    for (const stream of hasty) stream[Symbol.dispose]();
    const streams = [await open(playground, {}), await open(playground, { workspace: 'b' })];
    for (const stream of streams) stream[Symbol.dispose]();
  });
});

describe('without a trusted proxy', () => {
  let playground: Playground;
  let service: Service;
  const WARNING = 'requests carry X-Forwarded-For, but no proxy is trusted';
  beforeAll(async () => {
    playground = await startPlayground({
      env: { MAX_STREAMS_PER_ADDRESS: '2', MAX_FAILED_ATTEMPTS_PER_MINUTE: '5' },
    });
    service = playground.service;
  });
  afterAll(async () => {
    await playground[Symbol.asyncDispose]();
  });

  it('X-Forwarded-For is not believed, and the operator is told, once', async () => {
    const streams = [
      await open(playground, { from: '192.0.2.1' }),
      await open(playground, { from: '192.0.2.2' }),
    ];
    const refusal = await rawRequest(requestOf(playground, { from: '192.0.2.3' }));
    expectTooMany(refusal, 'This address has as many streams as it may.');
    for (const stream of streams) stream[Symbol.dispose]();
    await service.stderr.find((line) => line.includes(WARNING));
    const warnings = service.stderr.items.filter((line) => line.includes(WARNING));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).not.toContain('192.0.2');
  });

  it('an address that failed too often waits, whatever it says of itself', async () => {
    const { issuer } = playground;
    const attempt = (token: string, from: string) =>
      rawRequest({
        port: service.port,
        path: eventsPath('acme'),
        headers: [
          ['Authorization', `Bearer ${token}`],
          ['X-Forwarded-For', from],
        ],
      });
    const codeOf = ({ body }: RawResponse) => (JSON.parse(body) as Problem).code;
    const known = {
      port: service.port,
      path: eventsPath('acme'),
      headers: [['Authorization', `Bearer ${issuer.mint({ sub: 'known' })}`]] as [string, string][],
    };
    using before = await RawStream.open(known);
    expect((await before.head).status).toBe(200);
    // None of these guesses a token.
    for (const claims of [{ workspace: 'other' }, { exp: 1_000 }, { permissions: [] }]) {
      for (let n = 0; n < 5; n++) await attempt(issuer.mint(claims), '192.0.2.1');
    }
    for (let n = 0; n < 5; n++) {
      expect(codeOf(await attempt('a.b.c', `192.0.2.${n}`))).toBe('INVALID_TOKEN');
    }
    const refusal = await attempt('a.b.c', '192.0.2.9');
    expectTooMany(refusal, 'Too many attempts of this address have failed.');
    // Nor is anybody else behind that address told whether a token holds.
    expect(codeOf(await attempt(issuer.mint({ sub: 'new' }), '192.0.2.9'))).toBe(
      'RATE_LIMIT_EXCEEDED',
    );
    // Whose token was verified before does not pay for it.
    using after = await RawStream.open(known);
    expect((await after.head).status).toBe(200);
  });
});

describe('with a trusted proxy', () => {
  it('an address that failed too often waits, and those beside it do not', async () => {
    await using playground = await startPlayground({
      env: { TRUST_PROXY: 'loopback', MAX_FAILED_ATTEMPTS_PER_MINUTE: '3' },
    });
    const { service } = playground;
    const guess = (from: string) =>
      rawRequest({
        port: service.port,
        path: eventsPath('acme'),
        headers: [
          ['Authorization', 'Bearer a.b.c'],
          ['X-Forwarded-For', from],
        ],
      });
    for (let n = 0; n < 3; n++) expect((await guess('192.0.2.1')).status).toBe(401);
    expect((await guess('192.0.2.1')).status).toBe(429);
    // What stands further left was said by the client itself.
    expect((await guess('192.0.2.2, 192.0.2.1')).status).toBe(429);
    expect((await guess('192.0.2.2')).status).toBe(401);
    const stream = await open(playground, { from: '192.0.2.2' });
    stream[Symbol.dispose]();
    expect(service.stderr.items.filter((line) => line.includes('X-Forwarded-For'))).toEqual([]);
  });
});

describe('the streams that are opened in a second', () => {
  it('are so many; whoever comes then is told when to come back, before their permission is asked for', async () => {
    await using playground = await startPlayground({ env: { MAX_OPENS_PER_SECOND: '1' } });
    const { port } = playground.service;
    const withToken = (token: string, query = '') => ({
      port,
      path: eventsPath('acme') + query,
      headers: [['Authorization', `Bearer ${token}`]] as [string, string][],
    });
    // Nonsense takes nobody's turn.
    for (let n = 0; n < 5; n++) expect((await rawRequest(withToken('a.b.c'))).status).toBe(401);
    using stream = await RawStream.open(requestOf(playground, {}));
    expect((await stream.head).status).toBe(200);
    // It would be FORBIDDEN; but each time that this is asked counts.
    const poor = playground.issuer.mint({ permissions: ['realtime:publish'] });
    const refusals = await Promise.all(
      Array.from({ length: 40 }, () => rawRequest(withToken(poor))),
    );
    const problems = refusals
      .filter(({ status }) => status === 503)
      .map(({ headers, body }) => ({ headers, problem: JSON.parse(body) as Problem }));
    // The machine may be slow, and some seconds pass meanwhile, each with room for one.
    expect(problems.length).toBeGreaterThan(20);
    for (const { headers, problem } of problems) {
      expect(problem).toMatchObject({ code: 'UNAVAILABLE', recoverable: true });
      const seconds = Math.ceil((problem.retryAfterMs ?? 0) / 1_000);
      expect(headers.get('retry-after')).toEqual([String(seconds)]);
    }
    const waits = problems.map(({ problem }) => problem.retryAfterMs ?? 0);
    expect(Math.max(...waits)).toBeGreaterThan(20_000);
    expect(new Set(waits).size).toBeGreaterThan(15);

    const told = await Promise.all(
      Array.from({ length: 20 }, () => rawRequest(withToken(poor, '?errors=stream'))),
    );
    const inStream = told.filter(({ body }) => body.includes('"code":"UNAVAILABLE"'));
    expect(inStream.length).toBeGreaterThan(10);
    for (const { status, body } of inStream) {
      expect(status).toBe(200);
      expect(body).toMatch(/^retry: \d{3,6}$/m);
      expect(body).toMatch(/^event: stream\.error$/m);
    }
    await expectAlive(playground, stream, 'acme');
  });
});
