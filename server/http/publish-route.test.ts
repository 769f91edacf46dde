import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SERVICE_ERRORS, type ServiceErrorCode } from '@sluice/protocol';
import request, { type Response } from 'supertest';
import { RawStream } from '../../test/support/raw-http.js';
import {
  EVENTS,
  listen,
  openTestService,
  type TestService,
} from '../../test/support/test-service.js';
import type { PermissionQuestion } from '../gate/permission/permission-checker.js';

const MAX_BODY_BYTES = 65_536;
const MAX_EVENT_BYTES = 2_048;
const MAX_BATCH = 10;
const EVENT = { topic: 'orders', type: 'order.created', data: { n: 1 } };
const CLOUD_EVENT = { ...EVENT, specversion: '1.0', id: 'e1', source: '/shop' };
const JSON_TYPE = 'application/json';

let service: TestService;
beforeAll(async () => {
  service = await openTestService({
    MAX_BODY_BYTES: String(MAX_BODY_BYTES),
    MAX_EVENT_BYTES: String(MAX_EVENT_BYTES),
    MAX_BATCH: String(MAX_BATCH),
  });
});
afterAll(() => service[Symbol.asyncDispose]());

interface Publishing {
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly permissions?: readonly string[];
  readonly to?: TestService;
}

/** Publishes a body, byte for byte. */
async function publishBytes(body: string | Buffer, options: Publishing = {}): Promise<Response> {
  const { type = JSON_TYPE, headers = {}, permissions, to = service } = options;
  return request(to.app)
    .post(EVENTS)
    .set({ Authorization: `Bearer ${to.token(permissions)}`, 'Content-Type': type, ...headers })
    .serialize((sent) => sent as string)
    .send(body as string);
}

const publish = (value: unknown, options?: Publishing) =>
  publishBytes(JSON.stringify(value), options);

function expectProblem(response: Response, code: ServiceErrorCode, detail?: string | RegExp): void {
  expect(response.body).toMatchObject({ code });
  expect(response.status).toBe(SERVICE_ERRORS[code].status);
  expect(response.headers['content-type']).toBe('application/problem+json');
  if (detail !== undefined) expect(response.body.detail).toMatch(detail);
}

const offsetOf = ({ cursor }: { cursor: string }) => Number(cursor.split('-')[1]);

/** The offset that the newest event has. */
async function head(): Promise<number> {
  const { body } = await publish(EVENT);
  return offsetOf(body.events[0]);
}

/** What stands in the log from a cursor on. */
async function readBack(cursor: string, count: number): Promise<unknown[]> {
  const [epoch] = cursor.split('-');
  await using server = await listen(service.app);
  using stream = await RawStream.open({
    port: server.port,
    path: `${EVENTS}?access_token=${service.token()}&last_event_id=${epoch}-${offsetOf({ cursor }) - 1}`,
  });
  const events: unknown[] = [];
  while (events.length < count) events.push((await stream.next('message')).data);
  return events;
}

describe('publishing', () => {
  it('answers one short event with its id and cursor', async () => {
    const response = await publish(EVENT);
    expect(response.status).toBe(201);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.body).toEqual({
      events: [{ id: expect.stringMatching(/^[0-9a-f-]{36}$/), cursor: expect.any(String) }],
    });
    const [{ id, cursor }] = response.body.events;
    expect(await readBack(cursor, 1)).toEqual([
      {
        ...EVENT,
        specversion: '1.0',
        id,
        source: '/workspaces/acme',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
    ]);
  });

  it('answers a list with cursors in a row', async () => {
    const before = await head();
    const response = await publish([EVENT, { ...EVENT, id: 'mine' }, EVENT]);
    expect(response.status).toBe(201);
    expect(response.body.events.map(offsetOf)).toEqual([before + 1, before + 2, before + 3]);
    expect(response.body.events[1].id).toBe('mine');
  });

  it('takes a CloudEvent as it is', async () => {
    const response = await publish(CLOUD_EVENT, { type: 'application/cloudevents+json' });
    expect(response.status).toBe(201);
    const [{ id, cursor }] = response.body.events;
    expect(id).toBe('e1');
    expect(await readBack(cursor, 1)).toEqual([{ ...CLOUD_EVENT, time: expect.any(String) }]);
  });

  it('takes a batch of CloudEvents', async () => {
    const batch = [CLOUD_EVENT, { ...CLOUD_EVENT, id: 'e2', traceparent: 'x' }];
    const type = 'application/cloudevents-batch+json; charset=utf-8';
    const response = await publish(batch, { type });
    expect(response.status).toBe(201);
    expect(response.body.events.map(({ id }: { id: string }) => id)).toEqual(['e1', 'e2']);
    expect(await readBack(response.body.events[0].cursor, 2)).toMatchObject(batch);
  });

  it.each([
    'application/json;charset=UTF-8',
    'Application/JSON; charset="utf-8"',
    'application/json; profile=x',
  ])('takes the content type %s', async (type) => {
    expect((await publish(EVENT, { type })).status).toBe(201);
  });

  it('takes a body that is compressed', async () => {
    const headers = { 'Content-Encoding': 'gzip' };
    const response = await publishBytes(gzipSync(JSON.stringify(EVENT)), { headers });
    expect(response.status).toBe(201);
  });

  it('keeps what a text holds', async () => {
    const data = 'line\r\nid: forged\n\ndata: {"forged":true}\u2028 \u0000 🙂';
    const { body } = await publish({ ...EVENT, data });
    expect(await readBack(body.events[0].cursor, 1)).toMatchObject([{ data }]);
  });
});

describe('an idempotency key', () => {
  const headers = { 'Idempotency-Key': 'order-1' };

  it('makes a repeated publish an answer', async () => {
    const first = await publish([EVENT, EVENT], { headers });
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    const between = await head();
    const second = await publish([EVENT, EVENT], { headers });
    expect(second.status).toBe(201);
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect(second.body).toEqual(first.body);
    expect(await head()).toBe(between + 1);
  });

  it('makes one publish of many at once', async () => {
    const at = { headers: { 'Idempotency-Key': 'at-once' } };
    const before = await head();
    const answers = await Promise.all(Array.from({ length: 10 }, () => publish(EVENT, at)));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const replayed = answers.filter(({ headers: got }) => got['idempotency-replayed'] === 'true');
    expect(replayed).toHaveLength(9);
    expect(await head()).toBe(before + 2);
  });

  it('is refused for another body', async () => {
    await publish(EVENT, { headers: { 'Idempotency-Key': 'order-2' } });
    const other = { ...EVENT, data: 2 };
    const response = await publish(other, { headers: { 'Idempotency-Key': 'order-2' } });
    expectProblem(response, 'INVALID_REQUEST', /used before, for another body/);
  });

  it('means another publish where it is another key', async () => {
    const first = await publish(EVENT, { headers: { 'Idempotency-Key': 'a' } });
    const second = await publish(EVENT, { headers: { 'Idempotency-Key': 'A' } });
    expect(second.body.events[0].cursor).not.toBe(first.body.events[0].cursor);
  });

  it('helps nobody who may not publish', async () => {
    await publish(EVENT, { headers: { 'Idempotency-Key': 'order-3' } });
    const response = await publish(EVENT, {
      headers: { 'Idempotency-Key': 'order-3' },
      permissions: ['realtime:subscribe'],
    });
    expectProblem(response, 'FORBIDDEN');
  });

  it.each(['', 'a b', 'k'.repeat(256)])('cannot be %j', async (key) => {
    const response = await publish(EVENT, { headers: { 'Idempotency-Key': key } });
    expectProblem(response, 'INVALID_REQUEST', /Idempotency-Key/);
  });
});

describe('a batch with a fault', () => {
  const list = (members: object, index = 3) =>
    Array.from({ length: 5 }, (_, at) => (at === index ? { ...EVENT, ...members } : EVENT));
  const nested = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
  const raw = (members: string) => `[${JSON.stringify(EVENT)},{"topic":"a","type":"b",${members}}]`;

  it.each<[string, object]>([
    ['no topic', { topic: undefined }],
    ['a topic with CR', { topic: 'a\rb' }],
    ['a topic with LF', { topic: 'a\nb' }],
    ['a topic with NUL', { topic: 'a\u0000' }],
    ['a topic with a star', { topic: 'a*' }],
    ['a type with CR', { type: 'a\r' }],
    ['a type with LF', { type: '\nid: forged' }],
    ['a type with NUL', { type: '\u0000' }],
    ['an id with CR', { id: 'a\rb' }],
    ['an id with LF', { id: 'a\nb' }],
    ['an id with NUL', { id: 'a\u0000b' }],
    ['an id that is no text', { id: 7 }],
    ['half a surrogate pair in its topic', { topic: '\ud800' }],
    ['__proto__ in its data', { data: JSON.parse('{"__proto__":{}}') }],
    ['a member in capitals', { Topic: 'a' }],
  ])('publishes nothing for %s, and names the event', async (_, members) => {
    const before = await head();
    expectProblem(await publish(list(members)), 'INVALID_REQUEST', /^Event 3: /);
    expect(await head()).toBe(before + 1);
  });

  it.each<[string, string]>([
    ['data of depth 10,000', raw(`"data":${nested}`)],
    ['an attribute of depth 10,000', raw(`"extension":${nested}`)],
    ['__proto__', raw('"__proto__":{"topic":"x"}')],
    ['null in place of the event', `[${JSON.stringify(EVENT)},null]`],
    ['a list in place of the event', `[${JSON.stringify(EVENT)},${nested}]`],
  ])('publishes nothing for %s, and names the event', async (_, body) => {
    const before = await head();
    expectProblem(await publishBytes(body), 'INVALID_REQUEST', /^Event 1: /);
    expect(await head()).toBe(before + 1);
  });

  it('publishes nothing for an event that is too large, and names it', async () => {
    const before = await head();
    const response = await publish(list({ data: 'x'.repeat(MAX_EVENT_BYTES) }));
    expectProblem(response, 'PAYLOAD_TOO_LARGE', /^Event 3 is larger than 2048 bytes/);
    expect(await head()).toBe(before + 1);
  });

  it('measures an event in bytes, as it is kept', async () => {
    const { body } = await publish(EVENT);
    const [kept] = await readBack(body.events[0].cursor, 1);
    const room =
      MAX_EVENT_BYTES - Buffer.byteLength(JSON.stringify({ ...(kept as object), data: '' }));
    expect((await publish({ ...EVENT, data: 'x'.repeat(room) })).status).toBe(201);
    expectProblem(await publish({ ...EVENT, data: 'x'.repeat(room + 1) }), 'PAYLOAD_TOO_LARGE');
    expectProblem(await publish({ ...EVENT, data: 'ä'.repeat(room / 2 + 1) }), 'PAYLOAD_TOO_LARGE');
  });

  it('publishes nothing of a batch that is too long, or empty', async () => {
    const before = await head();
    const many = (count: number) => Array.from({ length: count }, () => EVENT);
    expectProblem(await publish(many(MAX_BATCH + 1)), 'PAYLOAD_TOO_LARGE', /more than 10 events/);
    expectProblem(await publish([]), 'INVALID_REQUEST', /empty/);
    expect(await head()).toBe(before + 1);
    expect((await publish(many(MAX_BATCH))).body.events).toHaveLength(MAX_BATCH);
  });
});

describe('a body', () => {
  it.each<[string, string | Buffer, RegExp]>([
    ['nothing', '', /not valid JSON/],
    ['not JSON', 'topic=orders', /not valid JSON/],
    ['cut short', '{"topic":"orders"', /not valid JSON/],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /not valid UTF-8/],
    ['a name twice', '{"topic":"a","topic":"b","type":"t"}', /same name twice/],
    ['of depth 30,000', '['.repeat(30_000), /nested deeper than 20000 levels/],
    ['a byte order mark', `\ufeff${JSON.stringify(EVENT)}`, /not valid JSON/],
  ])('that is %s is refused', async (_, body, detail) => {
    expectProblem(await publishBytes(body), 'INVALID_REQUEST', detail);
  });

  it.each([7, null, 'text', true])('that is %j is no event', async (value) => {
    expectProblem(await publish(value), 'INVALID_REQUEST', /^Event 0: /);
  });

  it('is a list where a batch is announced, and none where one event is', async () => {
    const batch = { type: 'application/cloudevents-batch+json' };
    expectProblem(await publish(CLOUD_EVENT, batch), 'INVALID_REQUEST', /not a list/);
    const single = { type: 'application/cloudevents+json' };
    expectProblem(await publish([CLOUD_EVENT], single), 'INVALID_REQUEST', /is a list/);
  });

  it('is refused over the limit, compressed or not', async () => {
    const body = JSON.stringify(EVENT).padEnd(MAX_BODY_BYTES);
    expect((await publishBytes(body)).status).toBe(201);
    expectProblem(await publishBytes(`${body} `), 'PAYLOAD_TOO_LARGE');
    const bomb = gzipSync(Buffer.alloc(100_000_000, ' '));
    const gzip = { headers: { 'Content-Encoding': 'gzip' } };
    expect(bomb.length).toBeGreaterThan(MAX_BODY_BYTES);
    expectProblem(await publishBytes(bomb, gzip), 'PAYLOAD_TOO_LARGE');
    const small = gzipSync(Buffer.alloc(1_000_000, ' '));
    expect(small.length).toBeLessThan(MAX_BODY_BYTES);
    expectProblem(await publishBytes(small, gzip), 'PAYLOAD_TOO_LARGE');
  });

  it('is refused where it is not compressed as it says', async () => {
    const gzip = { headers: { 'Content-Encoding': 'gzip' } };
    expectProblem(await publish(EVENT, gzip), 'INVALID_REQUEST');
    const unknown = { headers: { 'Content-Encoding': 'zstd-next' } };
    expectProblem(await publish(EVENT, unknown), 'UNSUPPORTED_MEDIA_TYPE');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin1',
    'application/json; charset=utf-16',
    'application/jsonp',
    'application/cloudevents',
    'constructor',
    '__proto__',
  ])('of type %s is refused', async (type) => {
    expectProblem(await publish(EVENT, { type }), 'UNSUPPORTED_MEDIA_TYPE', /application\/json/);
  });

  it('without a type is refused', async () => {
    const { app, token } = service;
    const response = await request(app).post(EVENTS).set('Authorization', `Bearer ${token()}`);
    expectProblem(response, 'UNSUPPORTED_MEDIA_TYPE');
  });

  it('is not looked at before the token', async () => {
    const response = await request(service.app)
      .post(EVENTS)
      .set('Content-Type', 'text/plain')
      .send('x'.repeat(MAX_BODY_BYTES + 1));
    expectProblem(response, 'MISSING_TOKEN');
  });
});

describe('the permission to publish', () => {
  it('is wanted', async () => {
    const before = await head();
    const response = await publish(EVENT, { permissions: ['realtime:subscribe'] });
    expectProblem(response, 'FORBIDDEN');
    expect(response.headers['www-authenticate']).toBe('Bearer error="insufficient_scope"');
    expect(await head()).toBe(before + 1);
  });

  it('is asked for all topics of a batch, each once, and may be narrowed', async () => {
    const asked: PermissionQuestion[] = [];
    await using narrowed = await openTestService(
      {},
      {
        permissionChecker: {
          check(question) {
            asked.push(question);
            return { allowed: true, topics: ['order*', 'document-1'] };
          },
        },
      },
    );
    const topics = (...names: string[]) =>
      publish(
        names.map((topic) => ({ ...EVENT, topic })),
        { to: narrowed },
      );
    const allowed = await topics('orders', 'order-7', 'orders', 'document-1');
    expect(allowed.status).toBe(201);
    expect(asked).toMatchObject([
      {
        workspace: 'acme',
        permission: 'realtime:publish',
        topics: ['orders', 'order-7', 'document-1'],
        principal: { subject: 'alice' },
      },
    ]);
    expectProblem(await topics('orders', 'document-12'), 'FORBIDDEN');
    const after = await topics('orders');
    expect(offsetOf(after.body.events[0])).toBe(5);
  });

  it('is not given where the checker fails', async () => {
    await using failing = await openTestService(
      {},
      { permissionChecker: { check: () => Promise.reject(new Error('iam.internal refused')) } },
    );
    const response = await publish(EVENT, { to: failing });
    expectProblem(response, 'AUTH_ERROR');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    expect(response.text).not.toContain('internal');
    expect(failing.log.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        fields: expect.objectContaining({
          cause: expect.objectContaining({ message: 'iam.internal refused' }),
        }),
      }),
    );
  });
});
