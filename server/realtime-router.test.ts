import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import express, { type Express } from 'express';
import request from 'supertest';
import { RawStream } from '../test/support/raw-http.js';
import {
  EVENTS,
  type Listening,
  listen,
  RecordedLog,
  type TestService,
  tokensOf,
} from '../test/support/test-service.js';
import { readConfig } from './config.js';
import type { PermissionQuestion } from './gate/permission/permission-checker.js';
import {
  ConfigError,
  createRealtimeRouter,
  createTokenIssuer,
  type RealtimeRouter,
} from './index.js';

const NO_CHECKER = '"permissionChecker" must be a function, or an object with "check"';
const EVENT = { topic: 'orders', type: 'order.created', data: { n: 1 } };

let folder: string;
let settings: Record<string, string>;
let token: TestService['token'];
const open: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-router-'));
  settings = { DATA_DIR: folder, AUDIT_LOG: 'off' };
  token = await tokensOf(readConfig(settings));
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

function router(options: Partial<Parameters<typeof createRealtimeRouter>[0]> = {}): RealtimeRouter {
  const made = createRealtimeRouter({ settings, ...options });
  // A test that closes it, or one that cannot open it, is no failure of the clearing up.
  open.push(() => made.close().catch(() => {}));
  return made;
}

/** An application that was there before, with a parser of its own. */
function applicationWith(realtime: RealtimeRouter): Express {
  const app = express();
  app.use(express.json());
  app.get('/before', (_, response) => void response.json({ route: 'before' }));
  app.use(realtime);
  app.get('/after', (_, response) => void response.json({ route: 'after' }));
  app.post('/after', (asked, response) => void response.json({ echo: asked.body }));
  return app;
}

async function serve(app: Express): Promise<Listening> {
  const listening = await listen(app);
  open.push(() => listening[Symbol.asyncDispose]());
  return listening;
}

const subscribe = ({ port }: Listening, query = '') =>
  RawStream.open({ port, path: `${EVENTS}?access_token=${token()}${query}` });

const publishOver = (app: Express) =>
  request(app).post(EVENTS).set('Authorization', `Bearer ${token()}`);

describe('the realtime router', () => {
  it('leaves the routes of the application alone', async () => {
    const app = applicationWith(router());
    expect((await request(app).get('/before')).body).toEqual({ route: 'before' });
    expect((await request(app).get('/after')).body).toEqual({ route: 'after' });
    expect((await request(app).post('/after').send({ a: 1 })).body).toEqual({ echo: { a: 1 } });
    const { status, headers } = await request(app).get('/nowhere');
    expect(status).toBe(404);
    expect(headers['content-type']).toMatch(/html/);
    expect(headers).not.toHaveProperty('x-request-id');
  });

  it('leaves /auth/token to an application whose tokens come from elsewhere', async () => {
    const secret = { JWT_SECRET: 'q7Zk2vX9sLw4Tn8bRe1Ym5Ud3Hf6Jg0A' };
    const own = { ...settings, ...secret, TOKEN_ISSUER: 'urn:app', TOKEN_AUDIENCE: 'sluice' };
    const app = express().use(router({ settings: own }));
    app.post('/auth/token', (_, response) => void response.json({ route: 'own' }));
    expect((await request(app).post('/auth/token')).body).toEqual({ route: 'own' });
  });

  it('answers at /auth/token where the embedded issuer runs, also where the body was parsed', async () => {
    const app = applicationWith(router());
    const { status, body } = await request(app)
      .post('/auth/token')
      .auth('a', 'b')
      .send({ applicationId: 'a' });
    expect(status).toBe(401);
    expect(body).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('answers its own routes before it is ready', async () => {
    const { status, body } = await publishOver(applicationWith(router())).send(EVENT);
    expect(status).toBe(201);
    expect(body.events).toHaveLength(1);
  });

  it('brings what code publishes to a subscriber', async () => {
    const realtime = router();
    const server = await serve(applicationWith(realtime));
    using stream = await subscribe(server);
    await stream.next('stream.connected');
    const published = await realtime.publish('acme', [EVENT, { ...EVENT, id: 'mine' }]);
    expect(published).toMatchObject({ repeated: false, events: [{}, { id: 'mine' }] });
    for (const { id, cursor } of published.events) {
      expect(await stream.next('message')).toMatchObject({ id: cursor, data: { ...EVENT, id } });
    }
  });

  it('tells its metrics to whoever has it, and nothing of the process that is not its own', async () => {
    settings = { ...settings, METRICS_WORKSPACES: 'acme' };
    const realtime = router({ log: new RecordedLog() });
    await realtime.publish('acme', [EVENT]);
    const [text, again] = await Promise.all([realtime.metrics(), realtime.metrics()]);
    expect(again).toBe(text);
    expect(text).toMatch(/^sluice_events_published_total 1$/m);
    expect(text).toMatch(/^sluice_workspace_events_published_total\{workspace="acme"\} 1$/m);
    expect(text).toMatch(/^sluice_ready 1$/m);
    expect(text).not.toMatch(/^(process_|nodejs_|sluice_event_loop)/m);
    // Its log is the application's, which does not count its lines.
    expect(text).not.toContain('log_lines_lost_total{log="log"}');
    await realtime.close();
    expect(await realtime.metrics()).toMatch(/^sluice_ready 0$/m);
  });

  it('tells no metrics where its folder cannot be opened', async () => {
    const realtime = router({
      settings: { ...settings, DATA_DIR: '/dev/null' },
      log: new RecordedLog(),
    });
    await expect(realtime.metrics()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('makes as many series of thousands of workspaces, subjects and topics as of none', async () => {
    const realtime = router({ settings: { ...settings, METRICS_WORKSPACES: 'listed' } });
    const server = await serve(applicationWith(realtime));
    const issuer = createTokenIssuer({ settings });
    const seriesOf = (text: string) => text.split('\n').filter((line) => /^sluice_/.test(line));
    const before = seriesOf(await realtime.metrics());
    const names = Array.from(
      { length: 2_000 },
      (_, n) => `name-${n}-${randomBytes(4).toString('hex')}`,
    );
    await Promise.all(
      names.map((name) => realtime.publish(name, [{ topic: name, type: name, data: { name } }])),
    );
    for (let from = 0; from < 100; from += 50) {
      await Promise.all(
        names.slice(from, from + 50).map(async (name) => {
          const { token } = await issuer.generateTokenResponse({
            clientId: name,
            subject: name,
            permissions: ['subscribe'],
            workspace: name,
          });
          using stream = await RawStream.open({
            port: server.port,
            path: `/realtime/workspace/${name}/events?topics=${name}&types=${name}`,
            headers: [['Authorization', `Bearer ${token}`]],
          });
          await stream.next('stream.connected');
          const elsewhere = `http://127.0.0.1:${server.port}/realtime/workspace/x${name}/events`;
          const { status } = await fetch(`${elsewhere}?access_token=${token}`);
          expect(status).toBe(403);
        }),
      );
    }
    const text = await realtime.metrics();
    expect(text).toMatch(/^sluice_events_published_total 2000$/m);
    expect(text).toMatch(/^sluice_streams_opened_total 100$/m);
    const nameOf = (line: string) => line.slice(0, line.lastIndexOf(' '));
    expect(seriesOf(text).map(nameOf)).toEqual(before.map(nameOf));
    expect(text).not.toContain('name-');
  }, 30_000);

  it('refuses what code publishes wrongly, and names the event', async () => {
    const realtime = router();
    await expect(realtime.publish('acme', [EVENT, { topic: 'orders' }])).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/^Event 1: /),
    });
    await expect(realtime.publish('acme', [])).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('takes bodies that the application has parsed already', async () => {
    const app = applicationWith(router());
    const { status, body } = await publishOver(app).send([EVENT, EVENT]);
    expect(status).toBe(201);
    expect(body.events).toHaveLength(2);
    const faulty = await publishOver(app).send([EVENT, { ...EVENT, topic: 'a\nb' }]);
    expect(faulty.body).toMatchObject({
      code: 'INVALID_REQUEST',
      detail: expect.stringMatching(/^Event 1: /),
    });
  });

  it('refuses a body that the application has parsed, however deep it is', async () => {
    const app = applicationWith(router());
    for (const depth of [100, 10_000, 45_000]) {
      const { status, body } = await publishOver(app)
        .type('json')
        .send(`[${JSON.stringify(EVENT)},${'['.repeat(depth)}${']'.repeat(depth)}]`);
      expect({ depth, status, code: body.code }).toEqual({
        depth,
        status: 400,
        code: 'INVALID_REQUEST',
      });
    }
  });

  it('asks the permission checker of the application, with the whole question', async () => {
    const asked: PermissionQuestion[] = [];
    const app = applicationWith(
      router({
        permissionChecker: {
          check(question) {
            asked.push(question);
            return { allowed: question.permission === 'realtime:subscribe', topics: ['order*'] };
          },
        },
      }),
    );
    const server = await serve(app);
    using stream = await subscribe(server, '&topics=orders,o*&topics=*-new&types=t');
    expect((await stream.head).status).toBe(200);
    const refused = await publishOver(app).send([EVENT, { ...EVENT, topic: 'a' }]);
    expect(refused.body).toMatchObject({ code: 'FORBIDDEN' });
    expect(asked).toEqual([
      {
        workspace: 'acme',
        permission: 'realtime:subscribe',
        topics: ['orders', 'o*', '*-new'],
        mustBeFresh: false,
        requestId: expect.any(String),
        principal: expect.objectContaining({
          subject: 'alice',
          issuer: 'urn:sluice:embedded',
          tokenId: expect.any(String),
          workspaces: ['acme'],
          expiresAt: expect.any(Number),
          claims: expect.objectContaining({ sub: 'alice', workspace: 'acme' }),
        }),
      },
      expect.objectContaining({ permission: 'realtime:publish', topics: ['orders', 'a'] }),
    ]);
  });

  it('refuses a topic that the permission checker does not grant, and opens no stream', async () => {
    const app = applicationWith(
      router({ permissionChecker: () => ({ allowed: true, topics: ['order*'] }) }),
    );
    const { status, body } = await request(app).get(
      `${EVENTS}?access_token=${token()}&topics=orders,documents`,
    );
    expect(status).toBe(403);
    expect(body).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('takes a function that says yes or no', async () => {
    let isGranted = true;
    const app = applicationWith(
      router({
        permissionChecker: async ({ principal: { subject } }) => isGranted && subject === 'alice',
      }),
    );
    expect((await publishOver(app).send(EVENT)).status).toBe(201);
    isGranted = false;
    const { status, body } = await publishOver(app).send(EVENT);
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'FORBIDDEN' });
  });

  it('lets nobody in where that function gives no decision', async () => {
    let decide: () => unknown = () => true;
    const app = applicationWith(router({ permissionChecker: () => decide() as boolean }));
    expect((await publishOver(app).send(EVENT)).status).toBe(201);
    for (const answer of ['false', 'true', 1, {}, undefined, { allowed: true, topics: 'orders' }]) {
      decide = () => answer;
      const { status, headers, body } = await publishOver(app).send(EVENT);
      expect({ answer, status, code: body.code }).toEqual({
        answer,
        status: 503,
        code: 'AUTH_ERROR',
      });
      expect(headers).toHaveProperty('retry-after');
    }
    decide = () => {
      throw new Error('secret words');
    };
    const { body } = await publishOver(app).send(EVENT);
    expect(body).toMatchObject({ code: 'AUTH_ERROR' });
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('holds back events that the permission checker narrows a subscriber from', async () => {
    const realtime = router({
      permissionChecker: { check: () => ({ allowed: true, topics: ['order*'] }) },
    });
    const server = await serve(applicationWith(realtime));
    using stream = await subscribe(server);
    await stream.next('stream.connected');
    await realtime.publish('acme', [{ ...EVENT, topic: 'secrets' }, EVENT]);
    expect(await stream.next('message')).toMatchObject({ data: { topic: 'orders' } });
    const events = stream.received.items.filter(({ kind }) => kind === 'event');
    expect(events).toHaveLength(2);
  });

  it('sends its streams away when it is closed, and lets go of the folder', async () => {
    const realtime = router();
    const server = await serve(applicationWith(realtime));
    using stream = await subscribe(server);
    await stream.next('stream.connected');
    const { events } = await realtime.publish('acme', [EVENT]);
    await realtime.close();
    expect(await stream.next('stream.draining')).toMatchObject({
      data: { reconnectInMs: expect.any(Number) },
    });
    expect(await stream.next('stream.error')).toMatchObject({ data: { code: 'UNAVAILABLE' } });
    expect(await stream.ended).toBe('end');

    const second = router();
    await second.ready;
    const [{ cursor } = { cursor: '' }] = (await second.publish('acme', [EVENT])).events;
    const [epoch] = events[0]?.cursor.split('-') ?? [];
    expect(cursor).toBe(`${epoch}-2`);
  });

  it('takes no more streams and events when it is closed', async () => {
    const realtime = router();
    const app = applicationWith(realtime);
    await realtime.close();
    await expect(realtime.publish('acme', [EVENT])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const { status, body } = await request(app).get(`${EVENTS}?access_token=${token()}`);
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'UNAVAILABLE' });
    expect((await request(app).get('/after')).status).toBe(200);
  });

  it('cannot be made with a permission checker that is none, or one too many', () => {
    const make = (checker: unknown, beside: Record<string, string> = {}) =>
      createRealtimeRouter({
        settings: { ...settings, ...beside },
        permissionChecker: checker as () => boolean,
      });
    for (const checker of [null, 'true', { check: true }]) {
      expect(() => make(checker)).toThrow(new TypeError(NO_CHECKER));
    }
    for (const beside of [
      { AUTHZEN_URL: 'https://pdp.example' },
      { POLICY_FILE: 'policy.csv' },
    ] as Record<string, string>[]) {
      expect(() => make(() => true, beside)).toThrow(/^"permissionChecker" is given beside/);
    }
  });

  it('cannot be made with settings that cannot stand', () => {
    const make = () =>
      createRealtimeRouter({ settings: { ...settings, MAX_BATCH: 'many', HEARTBEAT_MS: '1' } });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(/HEARTBEAT_MS.*\n.*MAX_BATCH/);
  });
});

describe('a realtime router whose folder is in use', () => {
  it('says so, and leaves the application at work', async () => {
    const first = router();
    await first.ready;
    const log = new RecordedLog();
    const second = router({ log });
    await expect(second.ready).rejects.toThrow('another Sluice process is using the data folder');
    const app = applicationWith(second);

    const { status, headers, body } = await publishOver(app).send(EVENT);
    expect(status).toBe(503);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(body).toMatchObject({ code: 'UNAVAILABLE', recoverable: true });
    expect(body.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.stringify(body)).not.toContain(folder);
    expect(log.lines).toContainEqual(expect.objectContaining({ level: 'error' }));
    await expect(second.publish('acme', [EVENT])).rejects.toThrow();

    expect((await request(app).get('/before')).body).toEqual({ route: 'before' });
    expect((await request(app).get('/after')).body).toEqual({ route: 'after' });
    await expect(first.publish('acme', [EVENT])).resolves.toMatchObject({ repeated: false });
  });
});
