import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventsPath, type Problem } from '@sluice/protocol';
import {
  PERMISSION_FAULTS,
  type PermissionFault,
  type PermissionServer,
  startPermissionServer,
} from '../support/permission-server.js';
import { type Playground, startPlayground } from '../support/playground.js';
import { RawStream } from '../support/raw-http.js';
import { Service } from '../support/service.js';
import type { Claims } from '../support/tokens.js';

/** What was answered: `code` is `null` where it was no refusal. */
interface Answer {
  readonly status: number;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const eventOf = (topic: string) => ({ topic, type: 'order.created', data: { topic } });

async function publish(
  { service }: Playground,
  token: string,
  topics: readonly string[] = ['orders'],
  workspace = 'acme',
): Promise<Answer> {
  const response = await fetch(service.url + eventsPath(workspace), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(topics.map(eventOf)),
  });
  return answerOf(response, await response.text());
}

/** A subscription that is ended as soon as it is let in. */
async function subscribe(
  { service }: Playground,
  token: string,
  { query = '', workspace = 'acme', cursor = '' } = {},
): Promise<Answer> {
  const abort = new AbortController();
  const response = await fetch(service.url + eventsPath(workspace) + query, {
    headers: { Authorization: `Bearer ${token}`, 'Last-Event-ID': cursor },
    signal: abort.signal,
  });
  const text = response.status === 200 ? '' : await response.text();
  abort.abort();
  return answerOf(response, text);
}

function answerOf({ status, headers }: Response, text: string): Answer {
  const code = status < 300 ? null : (JSON.parse(text) as Problem).code;
  return { status, code, headers: Object.fromEntries(headers), text };
}

const openStream = ({ service }: Playground, token: string, query = '') =>
  RawStream.open({
    port: service.port,
    path: eventsPath('acme') + query,
    headers: [['Authorization', `Bearer ${token}`]],
  });

const REFUSED = { status: 403, code: 'FORBIDDEN' };
const UNSURE = { status: 503, code: 'AUTH_ERROR' };
const GRANTED = { status: 200, code: null };
const PUBLISHED = { status: 201, code: null };

const offsetOf = ({ text }: Answer): number =>
  Number(/"cursor":"[^"]*-(\d+)"/.exec(text)?.[1] ?? Number.NaN);

describe('a permission server', () => {
  let pdp: PermissionServer;
  let playground: Playground;
  let token: string;

  beforeAll(async () => {
    pdp = await startPermissionServer();
    playground = await startPlayground({
      env: {
        ...pdp.settings,
        AUTHZEN_TOKEN: 'token-of-the-service',
        AUTHZEN_CACHE_MS: '0',
        AUTHZEN_DEADLINE_MS: '1500',
      },
    });
    token = playground.issuer.mint({ permissions: [], scope: undefined });
  });
  afterAll(async () => {
    await playground[Symbol.asyncDispose]();
    await pdp[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    pdp.answer = 'decision';
    pdp.decide = () => ({ decision: true });
  });

  it('decides, whatever the token says, and never sees the token', async () => {
    expect(await publish(playground, token)).toMatchObject(PUBLISHED);
    expect(await subscribe(playground, token)).toMatchObject(GRANTED);
    pdp.decide = () => ({ decision: false });
    const admin = playground.issuer.mint({ roles: ['admin'] });
    expect(await publish(playground, admin)).toMatchObject(REFUSED);
    expect(await subscribe(playground, admin)).toMatchObject(REFUSED);
    const seen = JSON.stringify(pdp.calls.items);
    expect(seen).toContain('Bearer token-of-the-service');
    for (const part of [...token.split('.'), ...admin.split('.').slice(1)].slice(1)) {
      expect(seen).not.toContain(part);
    }
    expect(playground.service.describe()).not.toContain('token-of-the-service');
  });

  it('39. that says no is FORBIDDEN, and a workspace that nobody knows looks the same', async () => {
    const { issuer } = playground;
    pdp.decide = ({ subject }) => ({ decision: subject.id === 'publisher' });
    expect(await publish(playground, issuer.mint({ sub: 'publisher' }))).toMatchObject(PUBLISHED);
    const known = issuer.mint();
    const unknown = issuer.mint({ workspace: 'nowhere' });
    const calls = pdp.calls.items.length;
    const pairs = [
      [await publish(playground, known), await publish(playground, unknown, ['orders'], 'nowhere')],
      [
        await subscribe(playground, known),
        await subscribe(playground, unknown, { workspace: 'nowhere' }),
      ],
    ] as const;
    for (const [one, other] of pairs) {
      expect(one).toMatchObject(REFUSED);
      expect(withoutNames(other)).toEqual(withoutNames(one));
    }
    // Both cost the same questions.
    const asked = pdp.calls.items.slice(calls).map(({ question }) => question.resource.id);
    expect(asked.filter((id) => id === 'acme')).toHaveLength(2);
    expect(asked.filter((id) => id === 'nowhere')).toHaveLength(2);
  });

  it.each(Object.keys(PERMISSION_FAULTS) as PermissionFault[])(
    '40. that misbehaves lets nobody in: %s',
    async (fault) => {
      const before = offsetOf(await publish(playground, token));
      expect(before).toBeGreaterThan(0);
      const calls = pdp.calls.items.length;
      pdp.answer = fault;
      for (const answer of [
        await publish(playground, token),
        await subscribe(playground, token, { query: '?topics=orders' }),
      ]) {
        expect(answer).toMatchObject(UNSURE);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        expect(answer.text).not.toContain(pdp.url);
        expect(answer.text).not.toMatch(/decision|fetch|ECONN|JSON|timeout/i);
      }
      // It was asked each time, and no redirect was followed. A connection that was kept alive and is reset may have
      // been closed before it was asked over it, so that it is asked once more.
      const paths = pdp.calls.items.slice(calls).map(({ path }) => path);
      expect(new Set(paths)).toEqual(new Set(['/access/v1/evaluation']));
      expect(fault === 'reset' ? [2, 3, 4] : [2]).toContain(paths.length);
      pdp.answer = 'decision';
      expect(offsetOf(await publish(playground, token))).toBe(before + 1);
    },
  );

  it('that is not there lets nobody in', async () => {
    await using alone = await startPlayground({ env: { AUTHZEN_URL: 'http://127.0.0.1:9' } });
    const { issuer } = alone;
    expect(await publish(alone, issuer.mint({ roles: ['admin'] }))).toMatchObject(UNSURE);
    expect(await subscribe(alone, issuer.mint({ roles: ['admin'] }))).toMatchObject(UNSURE);
  });

  it('may narrow: what is named and not permitted is FORBIDDEN, a pattern is narrowed', async () => {
    pdp.decide = ({ subject }) =>
      subject.id === 'publisher'
        ? { decision: true }
        : { decision: true, context: { topics: ['orders', 'document-*'] } };
    const publisher = playground.issuer.mint({ sub: 'publisher' });
    for (const topics of ['secrets', 'orders,secrets', 'o', 'secret*']) {
      expect(await subscribe(playground, token, { query: `?topics=${topics}` })).toMatchObject(
        REFUSED,
      );
    }
    using all = await openStream(playground, token);
    using some = await openStream(playground, token, '?topics=*s,document-1');
    await all.next('stream.connected');
    await some.next('stream.connected');
    const topics = ['secrets', 'orders', 'documents', 'document-1', 'document-2', 'orders'];
    expect(await publish(playground, publisher, topics)).toMatchObject(PUBLISHED);
    expect(await topicsOf(all, 4)).toEqual(['orders', 'document-1', 'document-2', 'orders']);
    expect(await topicsOf(some, 3)).toEqual(['orders', 'document-1', 'orders']);
  });

  it('may narrow a publisher: one topic that is not permitted, and nothing is published', async () => {
    pdp.decide = () => ({ decision: true, context: { topics: ['orders'] } });
    const before = offsetOf(await publish(playground, token));
    expect(await publish(playground, token, ['orders', 'secrets'])).toMatchObject(REFUSED);
    expect(await publish(playground, token, ['secrets'])).toMatchObject(REFUSED);
    expect(offsetOf(await publish(playground, token))).toBe(before + 1);
  });
});

describe('decisions of a permission server', () => {
  let pdp: PermissionServer;
  let playground: Playground;

  beforeEach(async () => {
    pdp = await startPermissionServer();
    playground = await startPlayground({
      env: { ...pdp.settings, AUTHZEN_CACHE_MS: '600000', AUTHZEN_DEADLINE_MS: '4000' },
    });
  });
  afterEach(async () => {
    await playground[Symbol.asyncDispose]();
    await pdp[Symbol.asyncDispose]();
  });

  it('are asked for once by many at once, used again, and not for a replay', async () => {
    const { token } = playground;
    pdp.answer = 'held';
    const opening = Array.from({ length: 30 }, () => subscribe(playground, token));
    await pdp.calls.atLeast(1);
    // The others are on their way to the same question.
    await publish(playground, 'no token');
    pdp.release();
    pdp.answer = 'decision';
    for (const answer of await Promise.all(opening)) expect(answer).toMatchObject(GRANTED);
    expect(pdp.calls.items).toHaveLength(1);

    const published = await publish(playground, token);
    const [, cursor = ''] = /"cursor":"([^"]+)"/.exec(published.text) ?? [];
    expect(await publish(playground, token)).toMatchObject(PUBLISHED);
    expect(pdp.calls.items).toHaveLength(2);

    pdp.decide = () => ({ decision: false });
    expect(await subscribe(playground, token)).toMatchObject(GRANTED);
    expect(await subscribe(playground, token, { cursor })).toMatchObject(REFUSED);
    expect(await subscribe(playground, token)).toMatchObject(REFUSED);
  });

  it('are not asked for in vain: a server that fails is left alone, and asked again later', async () => {
    const { token } = playground;
    pdp.answer = 'server-error';
    for (let n = 0; n < 12; n++) {
      expect(await publish(playground, token, [`topic-${n}`])).toMatchObject(UNSURE);
    }
    expect(pdp.calls.items).toHaveLength(5);
    pdp.answer = 'decision';
    const until = performance.now() + 15_000;
    let answer = await publish(playground, token);
    while (answer.code === 'AUTH_ERROR' && performance.now() < until) {
      answer = await publish(playground, token);
    }
    expect(answer).toMatchObject(PUBLISHED);
    expect(pdp.calls.items).toHaveLength(6);
  });
});

describe('a policy file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-policy-'));
    path = join(folder, 'policy.csv');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** As it should be changed: whoever reads it sees all of the old one or all of the new one. */
  async function replace(text: string): Promise<void> {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }

  it('says who may what, and what it says no longer ends at the door', async () => {
    await replace(
      [
        'p, publisher, acme, *, publish',
        'p, role:reader, *, orders, subscribe',
        'g, alice, publisher, acme',
      ].join('\n'),
    );
    await using playground = await startPlayground({ env: { POLICY_FILE: path } });
    const { issuer, service } = playground;
    const alice = issuer.mint({ permissions: undefined });
    const reader = issuer.mint({ sub: 'bob', permissions: undefined, roles: ['reader'] });
    expect(await publish(playground, alice)).toMatchObject(PUBLISHED);
    expect(await subscribe(playground, alice)).toMatchObject(REFUSED);
    expect(await publish(playground, reader)).toMatchObject(REFUSED);
    expect(await subscribe(playground, reader, { query: '?topics=secrets' })).toMatchObject(
      REFUSED,
    );
    using stream = await openStream(playground, reader);
    await stream.next('stream.connected');
    expect(await publish(playground, alice, ['secrets', 'orders'])).toMatchObject(PUBLISHED);
    expect(await topicsOf(stream, 1)).toEqual(['orders']);
    // What the token grants itself, and what a subject is called, counts for nothing.
    const grand = { roles: ['admin'], permissions: ['realtime:publish'] };
    expect(await publish(playground, issuer.mint({ sub: 'bob', ...grand }))).toMatchObject(REFUSED);
    expect(await publish(playground, issuer.mint({ sub: 'publisher' }))).toMatchObject(REFUSED);

    await replace('p, bob, acme, *, publish\np, alice, acme, secrets-of-alice, fly\n');
    const told = await service.stderr.find((line) => line.includes('policy file'));
    expect(JSON.parse(told)).toMatchObject({
      cause: { message: expect.stringContaining(`${path} is not valid:\n  - line 2 `) },
    });
    expect(told).not.toContain('secrets-of-alice');
    expect(await publish(playground, alice)).toMatchObject(PUBLISHED);

    await replace('p, bob, acme, *, publish\n');
    const until = performance.now() + 10_000;
    let answer = await publish(playground, alice);
    while (answer.code === null && performance.now() < until) {
      answer = await publish(playground, alice);
    }
    expect(answer).toMatchObject(REFUSED);
    expect(await publish(playground, reader)).toMatchObject(PUBLISHED);
    expect(service.stderr.items.filter((line) => line.includes('policy file'))).toHaveLength(1);
  });

  it.each([
    ['is broken', 'p, alice, acme, *, publish\np, alice, acme, *\n', 'line 2 is not'],
    ['holds no rule', '# later\n', 'no rule'],
    ['is not there', null, 'ENOENT'],
  ])('that %s is told by name, and the service does not start', async (_, text, reason) => {
    if (text !== null) await replace(text);
    const starting = Service.start({ env: { POLICY_FILE: path } });
    await expect(starting).rejects.toThrow(`The policy file ${path} is not valid`);
    await expect(starting).rejects.toThrow(reason);
  });
});

describe('a token that says itself what it permits', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await startPlayground({ env: { AUDIT_LOG: 'off' } });
  });
  afterAll(async () => {
    await playground[Symbol.asyncDispose]();
  });

  const NONE: Claims = { permissions: undefined };
  const ALL = '(all)';
  it.each<readonly [string, Claims, subscribed: string[], published: string[]]>([
    ['nothing', {}, [], []],
    ['role client', { role: 'client' }, [ALL, 'orders', 'secrets'], []],
    ['role service', { roles: ['service'] }, [ALL, 'orders', 'secrets'], ['orders', 'secrets']],
    ['role admin', { roles: ['admin'] }, [ALL, 'orders', 'secrets'], ['orders', 'secrets']],
    ['a list of short names', { permissions: ['publish'] }, [], ['orders', 'secrets']],
    ['scope', { scope: 'openid realtime:subscribe' }, [ALL, 'orders', 'secrets'], []],
    ['a foreign scope', { scope: 'publish subscribe' }, [], []],
    ['rooms', { permissions: { rooms: ['order*'] } }, [ALL, 'orders'], []],
    [
      'rooms beside a role',
      { permissions: { rooms: ['order*'] }, roles: ['service'] },
      [ALL, 'orders'],
      ['orders'],
    ],
    [
      'a map',
      { permissions: { orders: ['subscribe'], secrets: ['publish'] } },
      [ALL, 'orders'],
      ['secrets'],
    ],
    [
      'a map beside a role',
      { permissions: { orders: ['subscribe'] }, roles: ['admin'] },
      [ALL, 'orders'],
      [],
    ],
    [
      'a malformed map beside a role',
      { permissions: { orders: 'publish' }, role: 'admin' },
      [],
      [],
    ],
  ])('by %s', async (_, claims, subscribed, published) => {
    const token = playground.issuer.mint({ ...NONE, ...claims });
    const codes: Record<string, string | null> = {};
    for (const topic of [ALL, 'orders', 'secrets']) {
      const query = topic === ALL ? '' : `?topics=${topic}`;
      codes[`subscribe ${topic}`] = (await subscribe(playground, token, { query })).code;
    }
    for (const topic of ['orders', 'secrets']) {
      codes[`publish ${topic}`] = (await publish(playground, token, [topic])).code;
    }
    const expectedCode = (isGranted: boolean) => (isGranted ? null : 'FORBIDDEN');
    expect(codes).toEqual({
      [`subscribe ${ALL}`]: expectedCode(subscribed.includes(ALL)),
      'subscribe orders': expectedCode(subscribed.includes('orders')),
      'subscribe secrets': expectedCode(subscribed.includes('secrets')),
      'publish orders': expectedCode(published.includes('orders')),
      'publish secrets': expectedCode(published.includes('secrets')),
    });
  });

  it('39. and does not permit it looks alike for a workspace with events and for one without', async () => {
    const { issuer } = playground;
    expect(await publish(playground, playground.token)).toMatchObject(PUBLISHED);
    const one = await subscribe(playground, issuer.mint(NONE));
    const other = await subscribe(playground, issuer.mint({ ...NONE, workspace: 'nowhere' }), {
      workspace: 'nowhere',
    });
    expect(one).toMatchObject(REFUSED);
    expect(withoutNames(other)).toEqual(withoutNames(one));
  });
});

describe('the audit log of a service', () => {
  it('tells of each decision, whatever the level of the log, and of no token', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
    try {
      const path = join(folder, 'audit.log');
      await using playground = await startPlayground({
        env: { AUDIT_LOG: path, LOG_LEVEL: 'silent' },
      });
      const { issuer, service } = playground;
      const alice = issuer.mint({ jti: 'jti-1', client_id: 'web' });
      const forger = issuer.mint({ sub: 'x\n{"log":"audit","outcome":"ok"}', permissions: [] });
      await subscribe(playground, alice, { query: '?topics=orders,news' });
      await publish(playground, alice, ['orders', 'news', 'orders']);
      await publish(playground, forger);
      await publish(playground, 'no.token.atall');
      expect(await service.stop('SIGTERM')).toEqual({ code: 0, signal: null });

      const text = await readFile(path, 'utf8');
      const records = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object);
      const decision = {
        log: 'audit',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        kind: 'decision',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        workspace: 'acme',
        subject: 'alice',
        issuer: 'https://issuer.test',
        clientId: 'web',
        tokenId: 'jti-1',
        tokenHash: expect.stringMatching(/^[\w-]{16}$/),
        topics: ['orders', 'news'],
        checker: 'claims',
        outcome: 'ok',
        granted: null,
        durationMs: expect.any(Number),
      };
      expect(records).toEqual([
        { ...decision, permission: 'realtime:subscribe' },
        { ...decision, permission: 'realtime:publish' },
        {
          ...decision,
          permission: 'realtime:publish',
          subject: 'x\n{"log":"audit","outcome":"ok"}',
          clientId: null,
          tokenId: null,
          topics: ['orders'],
          outcome: 'FORBIDDEN',
        },
      ]);
      for (const part of [...alice.split('.'), ...forger.split('.')])
        expect(text).not.toContain(part);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(service.stderr.items).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('is on standard error unless told otherwise', async () => {
    await using playground = await startPlayground();
    await publish(playground, playground.token);
    const line = await playground.service.stderr.find((text) => text.includes('"log":"audit"'));
    expect(JSON.parse(line)).toMatchObject({ permission: 'realtime:publish', outcome: 'ok' });
  });

  it('that cannot be written keeps nobody out and is told once', async () => {
    await using playground = await startPlayground({ env: { AUDIT_LOG: '/dev/full' } });
    const { service, token } = playground;
    for (let n = 0; n < 20; n++) expect(await publish(playground, token)).toMatchObject(PUBLISHED);
    await service.stderr.find((line) => line.includes('the audit log cannot be written'));
    expect(await publish(playground, token)).toMatchObject(PUBLISHED);
    expect(service.stderr.items.filter((line) => line.includes('audit log'))).toHaveLength(1);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('that cannot be opened is told by name, and the service does not start', async () => {
    await expect(Service.start({ env: { AUDIT_LOG: '/nowhere/audit.log' } })).rejects.toThrow(
      'the audit log /nowhere/audit.log cannot be opened (ENOENT): see AUDIT_LOG',
    );
  });
});

/** An answer without what is another one in each: the id of the request, and the date. */
function withoutNames({ status, headers, text }: Answer): object {
  const { requestId: _, ...problem } = JSON.parse(text) as Problem;
  const { 'x-request-id': _id, date: _date, ...kept } = headers;
  return { status, problem, headers: kept };
}

/** The topics of the next events. */
async function topicsOf(stream: RawStream, count: number): Promise<string[]> {
  const topics: string[] = [];
  while (topics.length < count) {
    const { data } = await stream.next('message');
    topics.push((data as { topic: string }).topic);
  }
  return topics;
}
