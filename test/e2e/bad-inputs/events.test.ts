import { describe, expect, it } from '@jest/globals';
import type { Problem, ServiceErrorCode } from '@sluice/protocol';
import {
  type Ask,
  EVENTS,
  expectRefusal,
  inHeader,
  itServesOn,
  useDoor,
} from '../../support/bad-input-table.js';
import { RawStream, rawRequest } from '../../support/raw-http.js';

const door = useDoor();

const GOOD = { topic: 'orders', type: 'order.created', data: { n: 1 } };
const CLOUD_EVENT = { ...GOOD, specversion: '1.0', source: '/shop', id: 'e1' };
const DEEP = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;

/** The second event of three is bad. */
const batch = (bad: string) => `[${JSON.stringify(GOOD)},${bad},${JSON.stringify(GOOD)}]`;
const bad = (members: object) => batch(JSON.stringify({ ...GOOD, ...members }));
const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
  );

function publishing(body: string | Uint8Array, type = 'application/json'): Ask {
  const token = door.issuer.mint();
  door.sent.add(token);
  return {
    method: 'POST',
    headers: [...(inHeader(token).headers ?? []), ['Content-Type', type]],
    body,
  };
}

/** The newest cursor of the workspace. */
async function head(): Promise<string | undefined> {
  using stream = await RawStream.open({
    port: door.service.port,
    path: EVENTS,
    ...inHeader(door.issuer.mint()),
  });
  return (await stream.next('stream.connected')).id;
}

interface BadEvent {
  readonly what: string;
  readonly body: string | Uint8Array;
  readonly code?: ServiceErrorCode;
  readonly type?: string;
}

const CONTROLS = [
  ['CR', '\r'],
  ['LF', '\n'],
  ['NUL', '\u0000'],
] as const;

const rows: readonly BadEvent[] = [
  ...['type', 'topic', 'id'].flatMap((member) =>
    CONTROLS.flatMap(([name, control]): BadEvent[] => [
      { what: `${name} in its ${member}`, body: bad({ [member]: `a${control}b` }) },
      { what: `${name} at the end of its ${member}`, body: bad({ [member]: `a${control}` }) },
    ]),
  ),
  {
    what: 'a frame in its type',
    body: bad({ type: 'a\n\nevent: stream.error\ndata: {}\n\n' }),
  },
  {
    what: 'a control character of Unicode in its id, as a CloudEvent,',
    body: JSON.stringify([CLOUD_EVENT, { ...CLOUD_EVENT, id: 'a\u0085b' }]),
    type: 'application/cloudevents-batch+json',
  },
  {
    what: 'data over the limit',
    body: bad({ data: 'x'.repeat(65_536) }),
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    what: 'data over the limit in bytes alone',
    body: bad({ data: '\u20ac'.repeat(30_000) }),
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    what: 'a byte that is no UTF-8 in its data',
    body: bytes('[{"topic":"a","type":"b"},{"topic":"a","type":"b","data":"', [0xff], '"}]'),
  },
  {
    what: 'a NUL in two bytes in its topic',
    body: bytes('[{"topic":"a","type":"b"},{"topic":"a', [0xc0, 0x80], '","type":"b"},{}]'),
  },
  {
    what: 'half a surrogate pair in bytes in its id',
    body: bytes(
      '[{"topic":"a,]","type":"\\"},{"},{"topic":"a","type":"b","id":"',
      [0xed, 0xa0, 0x80],
      '"}]',
    ),
  },
  { what: 'data of depth 10,000', body: batch(`{"topic":"a","type":"b","data":${DEEP}}`) },
  { what: 'depth 10,000 in place of the event', body: batch(DEEP) },
  { what: '__proto__ in its data', body: batch('{"topic":"a","type":"b","data":{"__proto__":1}}') },
  {
    what: '__proto__ deep in its data',
    body: batch('{"topic":"a","type":"b","data":[{"a":{"\\u005f_proto__":{}}}]}'),
  },
  { what: '__proto__ of its own', body: batch('{"__proto__":{"topic":"a","type":"b"}}') },
  { what: '__proto__ beside the rest', body: bad({}).replace('},{', '},{"__proto__":{},') },
];

describe('55. an event in a batch', () => {
  it.each(rows)('with $what is named, and nothing is published', async ({ body, code, type }) => {
    const before = await head();
    const request = { port: door.service.port, path: EVENTS, ...publishing(body, type) };
    await expectRefusal(request, code ?? 'INVALID_REQUEST');
    const problem = JSON.parse((await rawRequest(request)).body) as Problem;
    expect(problem.detail).toMatch(/^Event 1\b/);
    expect(await head()).toBe(before);
  });

  it('is published where there is nothing wrong with it', async () => {
    const request = {
      port: door.service.port,
      path: EVENTS,
      ...publishing(bad({ data: '\u0000' })),
    };
    expect((await rawRequest(request)).status).toBe(201);
  });
});

describe('a body', () => {
  it('over the limit is PAYLOAD_TOO_LARGE, and nothing is published', async () => {
    const before = await head();
    const body = JSON.stringify(
      Array.from({ length: 20 }, () => ({ ...GOOD, data: 'x'.repeat(60_000) })),
    );
    await expectRefusal(
      { port: door.service.port, path: EVENTS, ...publishing(body) },
      'PAYLOAD_TOO_LARGE',
    );
    expect(await head()).toBe(before);
  });
});

itServesOn(door);
