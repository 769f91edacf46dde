import { describe, expect, it } from '@jest/globals';
import { eventsPath, type Problem } from '@sluice/protocol';
import {
  at,
  EVENTS,
  expectRefusal,
  inHeader,
  itServesOn,
  type Row,
  table,
  useDoor,
} from '../../support/bad-input-table.js';
import { RawStream, rawRequest } from '../../support/raw-http.js';

const door = useDoor();

const NAMES: readonly (readonly [what: string, name: string])[] = [
  ['a slash', 'a%2Fb'],
  ['a slash, encoded twice', 'a%252Fb'],
  ['NUL', 'a%00'],
  ['a line break', 'a%0d%0ab'],
  ['a line break at its end', 'acme%0a'],
  ['two dots', '..'],
  ['two dots, encoded', '%2e%2e'],
  ['a bidi mark', 'a%E2%80%AEb'],
  ['an invisible mark', 'acme%E2%80%8B'],
  ['a letter that looks like another', '%D0%B0cme'],
  ['65 characters', 'a'.repeat(65)],
  ['10,000 characters', 'a'.repeat(10_000)],
  ['a star', '*'],
  ['a space', 'ac%20me'],
  ['a tag', '%3Cscript%3E'],
];
const RESOURCES = ['events', 'stream-tokens', 'revocations'];

table(
  door,
  'the workspace of an address',
  RESOURCES.flatMap((resource) => [
    ...NAMES.map(
      ([what, name]): Row => ({
        what: `34. :ws with ${what}, of ${resource}`,
        ask: (t) => ({ ...ask(resource)(t), path: `/realtime/workspace/${name}/${resource}` }),
        code: 'INVALID_REQUEST',
      }),
    ),
    ...['%zz', '%', 'a%f', '%ff', '%c3%28', '%ed%a0%80'].map(
      (name): Row => ({
        what: `35. :ws ${name}, of ${resource}`,
        ask: (t) => ({ ...ask(resource)(t), path: `/realtime/workspace/${name}/${resource}` }),
        code: 'INVALID_REQUEST',
      }),
    ),
    ...[resource.toUpperCase(), `${resource}/`, `${resource}/x`, `%2e/${resource}`].map(
      (path): Row => ({
        what: `36. ${path}`,
        ask: (t) => ({ ...ask(resource)(t), path: `/realtime/workspace/acme/${path}` }),
        code: 'NOT_FOUND',
      }),
    ),
  ]),
);

table(door, 'the rest of an address', [
  ...['/REALTIME/workspace/acme/events', '/realtime/Workspace/acme/events', '/realtime/'].map(
    (path): Row => ({ what: `36. ${path}`, ask: at(path), code: 'NOT_FOUND' }),
  ),
  {
    what: 'an errors parameter that is not known',
    ask: at(`${EVENTS}?errors=yes`),
    code: 'INVALID_REQUEST',
  },
]);

describe('36. another method', () => {
  const others: readonly (readonly [string, string, string])[] = [
    ...['PUT', 'PATCH', 'DELETE', 'PROPFIND', 'OPTIONS'].map(
      (method) => [method, 'events', 'GET, POST'] as const,
    ),
    ...['stream-tokens', 'revocations'].flatMap((resource) =>
      ['GET', 'PUT', 'DELETE', 'OPTIONS'].map((method) => [method, resource, 'POST'] as const),
    ),
  ];

  it.each(others)(
    '%s of %s is refused, and the right ones are named',
    async (method, resource, allow) => {
      const request = { ...ask(resource)(door.issuer.mint()), port: door.service.port, method };
      await expectRefusal(request, 'METHOD_NOT_ALLOWED');
      expect((await rawRequest(request)).headers.get('allow')).toEqual([allow]);
    },
  );

  it.each(RESOURCES)('HEAD of %s opens nothing', async (resource) => {
    const request = { ...ask(resource)(door.issuer.mint()), port: door.service.port };
    const { status, body } = await rawRequest({ ...request, method: 'HEAD' });
    expect({ status, body }).toEqual({ status: 405, body: '' });
  });
});

describe('37. a subscription', () => {
  const lists = [
    '',
    'a,',
    ',a',
    'a,,b',
    'a%0Ab',
    'a%00',
    'a%7F',
    'a%C2%85',
    'a%20b',
    'a+b',
    'a%E2%80%AEb',
    'a%ED%A0%80%20',
    'a**',
    '*a*',
    'x'.repeat(257),
    Array.from({ length: 101 }, (_, n) => `t${n}`).join(),
  ];
  const faults: readonly (readonly [name: string, query: string])[] = [
    ...['topics', 'types'].flatMap((name) =>
      lists.map((list) => [name, `${name}=${list}`] as const),
    ),
    ...['topics', 'types'].map(
      (name) => [name, Array.from({ length: 101 }, () => `${name}=a`).join('&')] as const,
    ),
    ['filter', 'filter=x'],
    ['filter', 'filter='],
    ['filter', 'filter=topic%20%3D%3D'],
  ];

  const rows = faults.map(([name, query]) => ({ name, query, shown: query.slice(0, 40) }));

  it.each(rows)('that has a fault in $name is told so: $shown', async ({ name, query }) => {
    const request = door.request({
      what: '',
      ask: at(`${EVENTS}?${query}`),
      code: 'INVALID_REQUEST',
    });
    await expectRefusal(request, 'INVALID_REQUEST');
    const problem = JSON.parse((await rawRequest(request)).body) as Problem;
    expect(problem.detail).toMatch(new RegExp(`^"${name}" `));
  });

  it('may go up to the bounds', async () => {
    const topics = Array.from({ length: 100 }, (_, n) => `t${n}`).join();
    for (const query of [`topics=${topics}`, `types=${'x'.repeat(256)}`]) {
      using stream = await open(`${EVENTS}?${query}`);
      expect((await stream.head).status).toBe(200);
    }
  });
});

describe('38. the place to resume from', () => {
  const long = 'a'.repeat(65_536);
  const places: readonly (readonly [what: string, headers: readonly string[], query: string])[] = [
    ['of 64 KB', [long], ''],
    ['of 64 KB that begins like a cursor', [`0123ABCD-${'1'.repeat(65_000)}`], ''],
    ['given twice', ['0123ABCD-1', '0123ABCD-1'], ''],
    ['given twice, once empty', ['', '0123ABCD-1'], ''],
    ['given twice in the address', [], 'last_event_id=0123ABCD-1&last_event_id=0123ABCD-1'],
    ['that is no cursor', ['42'], ''],
    ['that is no cursor, in the address', [], 'last_event_id=42'],
    ['with an offset below nought', ['0123ABCD--1'], ''],
    ['with a great offset', ['0123ABCD-9999999999999999'], ''],
    ['with a leading nought', ['0123ABCD-01'], ''],
    ['with small letters', ['0123abcd-1'], ''],
    ['with two cursors', ['0123ABCD-1, 0123ABCD-2'], ''],
    ['with a NUL, encoded', [], 'last_event_id=0123ABCD-1%00'],
  ];

  it.each(places)('%s is INVALID_REQUEST', async (_, headers, query) => {
    const { headers: authorization = [] } = inHeader(door.issuer.mint());
    const ids = headers.map((id) => ['Last-Event-ID', id] as const);
    const request = {
      port: door.service.port,
      path: `${EVENTS}?${query}`,
      headers: [...authorization, ...ids],
    };
    await expectRefusal(request, 'INVALID_REQUEST');
  });

  it('of another workspace or epoch is a gap, and never brings a foreign event', async () => {
    const foreign = await publish('other', 'secret');
    const own = await publish('acme', 'mine');
    const unknown = own.replace(/^.{8}/, (epoch) =>
      (epoch === 'Z'.repeat(8) ? 'Y' : 'Z').repeat(8),
    );
    for (const cursor of [foreign, unknown]) {
      using stream = await open(`${EVENTS}?last_event_id=${cursor}`);
      expect((await stream.next('stream.connected')).data).toMatchObject({ resumed: 'gap' });
      expect((await stream.next('stream.gap')).data).toMatchObject({
        from: cursor,
        reason: 'unknown_epoch',
      });
      const last = await publish('acme', 'last');
      await stream.received.find((item) => item.kind === 'event' && item.id === last);
      const events = stream.received.items.flatMap((item) =>
        item.kind === 'event' && item.event === 'message' ? [item.data] : [],
      );
      expect(events.length).toBeGreaterThanOrEqual(2);
      for (const event of events) expect(event).toContain('"source":"/workspaces/acme"');
      expect(events.join()).not.toContain('secret');
    }
  });
});

itServesOn(door);

/** What is asked of a resource where nothing is wrong. */
function ask(resource: string) {
  return (token: string) => ({
    ...inHeader(token),
    method: resource === 'events' ? 'GET' : 'POST',
    path: `/realtime/workspace/acme/${resource}`,
  });
}

function open(path: string): Promise<RawStream> {
  return RawStream.open({ port: door.service.port, path, ...inHeader(door.issuer.mint()) });
}

/** Publishes one event; gives its cursor. */
async function publish(workspace: string, text: string): Promise<string> {
  const { headers = [] } = inHeader(door.issuer.mint({ workspace }));
  const { body } = await rawRequest({
    port: door.service.port,
    method: 'POST',
    path: eventsPath(workspace),
    headers: [...headers, ['Content-Type', 'application/json']],
    body: JSON.stringify({ topic: 'orders', type: 'order.created', data: { text } }),
  });
  return (JSON.parse(body) as { events: [{ cursor: string }] }).events[0].cursor;
}
