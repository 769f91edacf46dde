import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventsPath, revocationsPath } from '@sluice/protocol';
import request from 'supertest';
import { type PermissionServer, startPermissionServer } from '../support/permission-server.js';
import { numbered, type Playground, startPlayground, WORKSPACE } from '../support/playground.js';
import { RawStream, rawRequest } from '../support/raw-http.js';
import type { Service, ServiceOptions } from '../support/service.js';
import { EVENTS, openTestService } from '../support/test-service.js';
import { type Claims, inSeconds } from '../support/tokens.js';

// What is withdrawn ends: a permission, a token, everybody's tokens.

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** When tokens were issued that a revocation of now is about, however slowly a test runs. */
const OLD = inSeconds(-60);

/** How long what was revoked may still be open. */
const REVOKED_WITHIN_MS = 1_000;

interface OpenOptions {
  readonly workspace?: string;
  readonly query?: string;
  readonly lastEventId?: string | undefined;
}

const bearer = (token: string): [string, string] => ['Authorization', `Bearer ${token}`];

function requestOf({ port }: Service, token: string, options: OpenOptions = {}) {
  const { workspace = WORKSPACE, query = '', lastEventId } = options;
  return {
    port,
    path: eventsPath(workspace) + query,
    headers: [
      bearer(token),
      ...(lastEventId === undefined ? [] : [['Last-Event-ID', lastEventId] as [string, string]]),
    ],
  };
}

/** A stream whose head was read; its first event is `stream.connected`. */
async function open(service: Service, token: string, options?: OpenOptions): Promise<RawStream> {
  const stream = await RawStream.open(requestOf(service, token, options));
  await stream.next('stream.connected');
  return stream;
}

/** The code of the refusal, or `entered`. */
async function knock(service: Service, token: string, options?: OpenOptions): Promise<string> {
  const stream = await RawStream.open(requestOf(service, token, options));
  const { status } = await stream.head;
  stream[Symbol.dispose]();
  if (status === 200) return 'entered';
  const { body } = await rawRequest(requestOf(service, token, options));
  return (JSON.parse(body) as { code: string }).code;
}

interface RevocationAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly revocation?: Record<string, unknown>; readonly code?: string };
}

async function revoke(
  { url }: Service,
  token: string,
  body: unknown,
  workspace = WORKSPACE,
): Promise<RevocationAnswer> {
  const response = await fetch(url + revocationsPath(workspace), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': JSON_TYPE },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const { status, headers } = response;
  return { status, headers, body: (await response.json()) as RevocationAnswer['body'] };
}

const admin = ({ issuer }: Playground, claims: Claims = {}) =>
  issuer.mint({ sub: 'root', permissions: ['realtime:admin'], ...claims });

async function expectEnd(stream: RawStream, code: string, deadlineMs?: number): Promise<void> {
  expect(await stream.next('stream.error', deadlineMs)).toMatchObject({ data: { code } });
  expect(await stream.ended).toBe('end');
}

function publishOne({ url }: Service, token: string, workspace: string): Promise<Response> {
  return fetch(url + eventsPath(workspace), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': JSON_TYPE },
    body: JSON.stringify({ topic: 'orders', type: 'order.created' }),
  });
}

/** Shows that a stream is alive: what is published now comes out of it. */
async function expectAlive(
  { service, issuer }: Playground,
  stream: RawStream,
  workspace = WORKSPACE,
): Promise<void> {
  const response = await publishOne(service, issuer.mint({ sub: 'press', workspace }), workspace);
  const { events } = (await response.json()) as { events: { cursor: string }[] };
  await stream.received.find((item) => item.kind === 'event' && item.id === events[0]?.cursor);
}

describe('the permission of an open stream', () => {
  interface Guarded extends AsyncDisposable {
    readonly playground: Playground;
    readonly permissions: PermissionServer;
  }

  /** The service, and behind it a permission server whose mind the test changes. */
  async function startGuarded(env: ServiceOptions['env'] = {}): Promise<Guarded> {
    const permissions = await startPermissionServer();
    const playground = await startPlayground({
      env: { ...permissions.settings, RECHECK_INTERVAL_MS: '300', ...env },
    });
    return {
      playground,
      permissions,
      async [Symbol.asyncDispose]() {
        await playground[Symbol.asyncDispose]();
        await permissions[Symbol.asyncDispose]();
      },
    };
  }

  it('ends the stream when it is withdrawn, and no other', async () => {
    await using guarded = await startGuarded();
    const { playground, permissions } = guarded;
    using alice = await open(playground.service, playground.token);
    using bob = await open(playground.service, playground.issuer.mint({ sub: 'bob' }));
    permissions.decide = ({ subject }) => ({ decision: subject.id === 'bob' });
    await expectEnd(alice, 'FORBIDDEN');
    expect(await knock(playground.service, playground.token)).toBe('FORBIDDEN');
    permissions.decide = () => ({ decision: true });
    await expectAlive(playground, bob);
  });

  it('ends the stream when it is narrowed; who comes back gets no more than is left', async () => {
    await using guarded = await startGuarded({ AUTHZEN_CACHE_MS: '0' });
    const { playground, permissions } = guarded;
    const { service, token } = playground;
    using stream = await open(service, token);
    const { id: cursor } = await (async () => {
      await playground.publish(numbered(1, 1));
      return stream.next('message');
    })();
    permissions.decide = ({ action }) => ({
      decision: true,
      ...(action.name === 'realtime:subscribe' && { context: { topics: ['invoices'] } }),
    });
    await expectEnd(stream, 'UNAVAILABLE');
    using again = await open(service, token, { lastEventId: cursor });
    await playground.publish([
      { topic: 'orders', type: 'order.created' },
      { topic: 'invoices', type: 'invoice.created' },
    ]);
    expect(await again.next('message')).toMatchObject({ data: { topic: 'invoices' } });
  });

  it('is asked for anew before a replay, however fresh the last decision is', async () => {
    await using guarded = await startGuarded({
      AUTHZEN_CACHE_MS: '600000',
      RECHECK_INTERVAL_MS: '3600000',
    });
    const { playground, permissions } = guarded;
    const { service, token } = playground;
    const [published] = await playground.publish(numbered(1, 1));
    expect(await knock(service, token)).toBe('entered');
    permissions.decide = () => ({ decision: false });
    // The decision is remembered, and good enough for what is yet to come.
    expect(await knock(service, token)).toBe('entered');
    expect(await knock(service, token, { lastEventId: published?.cursor })).toBe('FORBIDDEN');
  });

  it('to administer is asked for anew with each revocation', async () => {
    await using guarded = await startGuarded({ AUTHZEN_CACHE_MS: '600000' });
    const { playground, permissions } = guarded;
    const root = admin(playground);
    expect((await revoke(playground.service, root, { jti: 'a1' })).status).toBe(201);
    permissions.decide = () => ({ decision: false });
    expect(await revoke(playground.service, root, { jti: 'a2' })).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN' },
    });
  });

  it('may go unasked for a while, and the stream is none the wiser', async () => {
    await using guarded = await startGuarded({ RECHECK_GRACE_MS: '60000' });
    const { playground, permissions } = guarded;
    using stream = await open(playground.service, playground.token);
    permissions.answer = 'server-error';
    for (let call = 0; call < 3; call++) await permissions.calls.next();
    permissions.answer = 'decision';
    const { length } = permissions.calls.items;
    await permissions.calls.find((call) => permissions.calls.items.indexOf(call) >= length);
    await expectAlive(playground, stream);
    await playground.service.stderr.find((line) =>
      line.includes('the permission of open streams cannot be asked for'),
    );
  }, 30_000);

  it('may not go unasked for longer than the grace', async () => {
    await using guarded = await startGuarded({ RECHECK_GRACE_MS: '1500' });
    const { playground, permissions } = guarded;
    using stream = await open(playground.service, playground.token);
    permissions.answer = 'server-error';
    const { length } = permissions.calls.items;
    await permissions.calls.find((call) => permissions.calls.items.indexOf(call) >= length);
    const failedAt = performance.now();
    await expectEnd(stream, 'AUTH_ERROR');
    expect(performance.now() - failedAt).toBeGreaterThan(1_000);
  });
});

describe('a revocation', () => {
  let playground: Playground;
  let service: Service;
  beforeAll(async () => {
    playground = await startPlayground();
    service = playground.service;
  });
  afterAll(async () => {
    await playground[Symbol.asyncDispose]();
  });

  it.each<[string, object, others: readonly Claims[]]>([
    ['jti', { jti: 'a1' }, [{ jti: 'a2' }, { jti: undefined }]],
    ['sub', { sub: 'alice' }, [{ sub: 'bob' }]],
    ['client_id', { client_id: 'app' }, [{ client_id: 'other' }, { client_id: undefined }]],
    [
      'time',
      { all: true, before: new Date((OLD + 30) * 1_000).toISOString() },
      [{ iat: inSeconds(0) }],
    ],
  ])(
    'by %s ends the streams of its tokens within a second, refuses them at the door, and outlives the service',
    async (what, body, others) => {
      const workspace = `by-${what}`;
      const { issuer } = playground;
      const claims = { workspace, sub: 'alice', client_id: 'app', jti: 'a1', iat: OLD };
      const token = issuer.mint(claims);
      const kept = others.map((other) => issuer.mint({ ...claims, ...other }));
      using stream = await open(service, token, { workspace });
      const streams = await Promise.all(kept.map((other) => open(service, other, { workspace })));

      const answer = await revoke(service, admin(playground, { workspace }), body, workspace);
      await expectEnd(stream, 'INVALID_TOKEN', REVOKED_WITHIN_MS);
      expect(answer).toMatchObject({
        status: 201,
        body: { revocation: { ...body, expiresAt: expect.any(String) } },
      });
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await knock(service, token, { workspace })).toBe('INVALID_TOKEN');
      expect((await publishOne(service, token, workspace)).status).toBe(401);
      for (const other of streams) await expectAlive(playground, other, workspace);

      await service.kill();
      await service.start();
      expect(await knock(service, token, { workspace })).toBe('INVALID_TOKEN');
      for (const other of kept) expect(await knock(service, other, { workspace })).toBe('entered');
      for (const other of streams) other[Symbol.dispose]();
    },
  );

  it('of all ends every stream of the workspace, the publisher, and the one who asked', async () => {
    const workspace = 'all';
    const at = { workspace };
    const { issuer } = playground;
    const both = issuer.mint({ workspace: undefined, workspaces: ['all', 'other'], iat: OLD });
    const publisher = issuer.mint({ ...at, iat: OLD });
    const streams = await Promise.all(
      [publisher, both, issuer.mint({ ...at, sub: 'bob', iat: undefined })].map((one) =>
        open(service, one, at),
      ),
    );
    using elsewhere = await open(service, both, { workspace: 'other' });
    const root = admin(playground, { ...at, iat: OLD });
    expect(await revoke(service, root, { all: true }, workspace)).toMatchObject({ status: 201 });
    for (const stream of streams) await expectEnd(stream, 'INVALID_TOKEN', REVOKED_WITHIN_MS);
    expect((await publishOne(service, publisher, workspace)).status).toBe(401);
    expect(await revoke(service, root, { all: true }, workspace)).toMatchObject({
      status: 401,
      body: { code: 'INVALID_TOKEN' },
    });
    expect(await knock(service, both, { workspace: 'other' })).toBe('entered');
    await expectAlive(playground, elsewhere, 'other');
  });

  it('that was answered stands, though the service is killed at once, again and again', async () => {
    const workspace = 'killed';
    const { issuer } = playground;
    const root = admin(playground, { workspace });
    const subjects = ['s1', 's2', 's3'];
    for (const sub of subjects) {
      expect(await revoke(service, root, { sub }, workspace)).toMatchObject({ status: 201 });
      await service.kill();
      await service.start();
    }
    const outcomeOf = (sub: string) =>
      knock(service, issuer.mint({ workspace, sub, iat: OLD }), { workspace });
    for (const sub of subjects) expect(await outcomeOf(sub)).toBe('INVALID_TOKEN');
    expect(await outcomeOf('s4')).toBe('entered');
  }, 30_000);

  it('is not taken back by a narrower one', async () => {
    const workspace = 'narrower';
    const root = admin(playground, { workspace });
    const wide = await revoke(service, root, { sub: 'alice' }, workspace);
    const body = { sub: 'alice', before: '2020-01-01T00:00:00Z' };
    const narrow = await revoke(service, root, body, workspace);
    expect(narrow.body.revocation?.['before']).toBe(wide.body.revocation?.['before']);
    const token = playground.issuer.mint({ workspace, iat: OLD });
    expect(await knock(service, token, { workspace })).toBe('INVALID_TOKEN');
  });

  it('is told to the audit log, without a token', async () => {
    const root = admin(playground, { jti: 'r1' });
    await revoke(service, root, { jti: 'told' });
    const line = await service.stderr.find((text) => text.includes('"told"'));
    expect(JSON.parse(line)).toMatchObject({
      kind: 'revocation',
      workspace: WORKSPACE,
      subject: 'root',
      tokenId: 'r1',
      revoked: { jti: 'told' },
    });
    expect(service.stderr.items.join('\n')).not.toContain(root.split('.')[2]);
  });

  describe('is asked for', () => {
    it('by those with the permission to administer this workspace alone', async () => {
      const { token } = playground;
      const everythingElse = ['subscribe', 'publish', 'presence'].map((name) => `realtime:${name}`);
      const codes: (string | undefined)[] = [];
      for (const one of [
        token,
        admin(playground, { permissions: everythingElse }),
        admin(playground, { workspace: 'other' }),
      ]) {
        codes.push((await revoke(service, one, { all: true })).body.code);
      }
      expect(codes).toEqual(['FORBIDDEN', 'FORBIDDEN', 'WORKSPACE_MISMATCH']);
      // Who may not ask is not told what would be wrong with it either.
      expect((await revoke(service, token, '{')).body.code).toBe('FORBIDDEN');
      expect(await knock(service, token)).toBe('entered');
    });

    it.each<[string, body: string | Uint8Array, type: string, status: number, code: string]>([
      ['text', '{"sub":"alice"}', 'text/plain', 415, 'UNSUPPORTED_MEDIA_TYPE'],
      ['latin1', '{"sub":"alice"}', `${JSON_TYPE};charset=latin1`, 415, 'UNSUPPORTED_MEDIA_TYPE'],
      ['a form', 'sub=alice', FORM_TYPE, 415, 'UNSUPPORTED_MEDIA_TYPE'],
      ['too much', `{"sub":"alice"}${' '.repeat(8_192)}`, JSON_TYPE, 413, 'PAYLOAD_TOO_LARGE'],
      ['nothing', '', JSON_TYPE, 400, 'INVALID_REQUEST'],
      ['half of it', '{"sub":"alice"', JSON_TYPE, 400, 'INVALID_REQUEST'],
      ['a name twice', '{"sub":"bob","s\\u0075b":"alice"}', JSON_TYPE, 400, 'INVALID_REQUEST'],
      ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]), JSON_TYPE, 400, 'INVALID_REQUEST'],
      ['a deep nest', '['.repeat(1_000), JSON_TYPE, 400, 'INVALID_REQUEST'],
      ['two kinds', '{"sub":"alice","all":true}', JSON_TYPE, 400, 'INVALID_REQUEST'],
      ['an unknown member', '{"sub":"alice","until":1}', JSON_TYPE, 400, 'INVALID_REQUEST'],
    ])('in a form that nobody can misread, and not as %s', async (_, body, type, status, code) => {
      const answer = await rawRequest({
        port: service.port,
        method: 'POST',
        path: revocationsPath(WORKSPACE),
        headers: [bearer(admin(playground)), ['Content-Type', type]],
        body,
      });
      expect([answer.status, (JSON.parse(answer.body) as { code: string }).code]).toEqual([
        status,
        code,
      ]);
      expect(await knock(service, playground.token)).toBe('entered');
    });

    it('by POST, and in no other way', async () => {
      const response = await fetch(service.url + revocationsPath(WORKSPACE), {
        headers: { Authorization: `Bearer ${admin(playground)}` },
      });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
    });
  });
});

describe('a revocation', () => {
  it('that comes while a stream is being opened refuses it', async () => {
    await using service = await openTestService();
    const { hub } = service.service;
    const headers = { Authorization: `Bearer ${service.token()}` };
    const subscribe = hub.subscribe.bind(hub);
    hub.subscribe = async (...subscription) => {
      await request(service.app)
        .post(revocationsPath(WORKSPACE))
        .set(headers)
        .send({ sub: 'alice' })
        .expect(201);
      await subscribe(...subscription);
    };
    const { body } = await request(service.app).get(EVENTS).set(headers).expect(401);
    expect(body).toMatchObject({ code: 'INVALID_TOKEN', detail: 'The token was revoked.' });
  });

  it.each(['events', 'revocations'])(
    'holds also for what was let in before and sends its body slowly: to %s',
    async (resource) => {
      await using playground = await startPlayground();
      const { service } = playground;
      const token = playground.issuer.mint({
        sub: 'slow',
        permissions: ['realtime:publish', 'realtime:admin'],
      });
      const body =
        resource === 'events'
          ? '{"topic":"orders","type":"order.created"}'
          : '{"sub":"somebody else"}';
      const path = resource === 'events' ? eventsPath(WORKSPACE) : revocationsPath(WORKSPACE);
      const held = httpRequest(service.url + path, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': JSON_TYPE,
          'Content-Length': body.length,
        },
      });
      const answered = new Promise<IncomingMessage>((resolve) => held.once('response', resolve));
      held.write(body.slice(0, 3));
      expect(await revoke(service, admin(playground), { sub: 'slow' })).toMatchObject({
        status: 201,
      });
      held.end(body.slice(3));
      const answer = await answered;
      let text = '';
      for await (const part of answer.setEncoding('utf8')) text += part;
      expect(JSON.parse(text)).toMatchObject({ status: 401, code: 'INVALID_TOKEN' });
    },
  );

  it('that cannot be written is UNAVAILABLE and revokes nothing; those before it stand', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-full-'));
    try {
      // No file of the service may grow beyond this; a write that would is refused, as on a full disk.
      const nodeBinary = join(folder, 'node');
      await writeFile(nodeBinary, `#!/bin/bash\nulimit -f 400\nexec '${process.execPath}' "$@"\n`);
      await chmod(nodeBinary, 0o755);
      await using playground = await startPlayground({ nodeBinary });
      const { service, issuer, token } = playground;
      const root = admin(playground);
      using stream = await open(service, token);
      const name = (n: number) => `${'s'.repeat(240)}-${n}`;
      let refused: RevocationAnswer | null = null;
      let count = 0;
      while (refused === null && count < 3_000) {
        const answer = await revoke(service, root, { sub: name(count) });
        if (answer.status === 201) count++;
        else refused = answer;
      }
      expect(refused).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
      expect(count).toBeGreaterThan(10);
      expect(await revoke(service, root, { sub: 'alice' })).toMatchObject({ status: 503 });
      expect(await knock(service, token)).toBe('entered');
      expect(await knock(service, issuer.mint({ sub: name(count - 1), iat: OLD }))).toBe(
        'INVALID_TOKEN',
      );
      stream[Symbol.dispose]();
      await service.kill();
      await service.start();
      expect(await knock(service, token)).toBe('entered');
      for (const n of [0, count - 1]) {
        expect(await knock(service, issuer.mint({ sub: name(n), iat: OLD }))).toBe('INVALID_TOKEN');
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 40_000);
});
