import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SpanContext } from '@opentelemetry/api';
import { eventsPath } from '@sluice/protocol';
import { numbered, type Playground, startPlayground, WORKSPACE } from '../support/playground.js';
import { RawStream, rawRequest } from '../support/raw-http.js';
import { Service } from '../support/service.js';
import { until } from '../support/until.js';

const RECORDER = join(import.meta.dirname, '../support/record-spans.mjs');
const EXAMPLE = join(import.meta.dirname, '../../ops/opentelemetry/otel.mjs');
const ROUTE = '/realtime/workspace/:ws/events';
const SERVER = 1;
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT_ID = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${PARENT_ID}-01`;
const MARK = 'MARKq7Zx';

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly context: SpanContext }[];
  readonly parentSpanContext?: SpanContext;
  readonly context: SpanContext;
}

let folder: string;
let playground: Playground;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-spans-'));
  playground = await startPlayground({
    env: {
      NODE_OPTIONS: `--import ${RECORDER}`,
      SPANS_FILE: join(folder, 'spans'),
      LOG_LEVEL: 'info',
      AUDIT_LOG: 'off',
    },
  });
});
afterAll(async () => {
  await playground[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function spansText(): Promise<string> {
  return readFile(join(folder, 'spans'), 'utf8').catch(() => '');
}

async function spans(): Promise<Span[]> {
  return (await spansText())
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Span);
}

/** All spans of the request of this name, its own first, when that one is there. */
async function spansOf(requestId: string): Promise<Span[]> {
  const isRoot = ({ attributes, kind }: Span) =>
    kind === SERVER && attributes['sluice.request_id'] === requestId;
  let all: Span[] = [];
  await until('its span has ended', async () => {
    all = await spans();
    return all.some(isRoot);
  });
  const root = all.find(isRoot) as Span;
  const children = all.filter(
    ({ parentSpanContext }) => parentSpanContext?.spanId === root.context.spanId,
  );
  return [root, ...children];
}

const get = (path: string, id: string, headers: [string, string][] = [], method = 'GET') =>
  rawRequest({
    port: playground.service.port,
    path,
    method,
    headers: [['X-Request-Id', id], ...headers],
  });

describe('the traces of a service', () => {
  it('go on with the trace of who asks, from the gate to the log', async () => {
    const { service, token } = playground;
    const answer = await fetch(`${service.url}${eventsPath(WORKSPACE)}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        'X-Request-Id': 'publish-1',
        traceparent: TRACEPARENT,
      },
      body: JSON.stringify(numbered(1, 2)),
    });
    expect(answer.status).toBe(201);
    const [request, ...steps] = await spansOf('publish-1');
    expect(request).toMatchObject({
      name: `POST ${ROUTE}`,
      attributes: {
        'http.request.method': 'POST',
        'http.route': ROUTE,
        'http.response.status_code': 201,
        'sluice.workspace': WORKSPACE,
        'sluice.events': 2,
      },
      parentSpanContext: { traceId: TRACE_ID, spanId: PARENT_ID },
    });
    expect(steps.map(({ name }) => name)).toEqual(['gate token', 'gate permission', 'publish']);
    const line = await service.stderr.find((text) => text.includes('"publish-1"'));
    expect(JSON.parse(line)).toMatchObject({
      traceId: TRACE_ID,
      spanId: request?.context.spanId,
    });
  });

  it('tell of the opening of a stream, and link its end to it', async () => {
    const { service, token } = playground;
    const stream = await RawStream.open({
      port: service.port,
      path: eventsPath(WORKSPACE),
      headers: [
        ['Authorization', `Bearer ${token}`],
        ['X-Request-Id', 'stream-1'],
      ],
    });
    await stream.next('stream.connected');
    const [opening, ...steps] = await spansOf('stream-1');
    expect(opening?.attributes).toMatchObject({ 'http.response.status_code': 200 });
    expect(steps.map(({ name }) => name)).toEqual([
      'gate token',
      'gate permission',
      'gate places',
      'stream open',
    ]);
    stream[Symbol.dispose]();
    await until('its end is told', async () => (await spansText()).includes('"stream end"'));
    const end = (await spans()).find(({ name }) => name === 'stream end');
    expect(end?.attributes).toMatchObject({ 'sluice.request_id': 'stream-1', 'sluice.events': 0 });
    expect(end?.links.map(({ context }) => context.spanId)).toEqual([opening?.context.spanId]);
    expect(end?.context.traceId).not.toBe(opening?.context.traceId);
  });

  it.each([
    ['is none', [['traceparent', MARK]]],
    [
      'was given twice',
      [
        ['traceparent', TRACEPARENT],
        ['traceparent', TRACEPARENT],
      ],
    ],
    ['is too long', [['traceparent', `${TRACEPARENT}-${'x'.repeat(5_000)}`]]],
    ['has no trace', [['traceparent', `00-${'0'.repeat(32)}-${PARENT_ID}-01`]]],
  ] as [string, [string, string][]][])(
    'begin anew where the traceparent %s',
    async (what, headers) => {
      const id = `parent-${what.replaceAll(' ', '-')}`;
      await get('/', id, headers);
      const [request] = await spansOf(id);
      expect(request?.parentSpanContext).toBeUndefined();
      expect(request?.context.traceId).not.toBe(TRACE_ID);
    },
  );

  it('hold no token and no address, and have a handful of names', async () => {
    const token = `eyJ${MARK}.${MARK}.${MARK.repeat(8)}`;
    const asked: [string, [string, string][]?, string?][] = [
      [`${eventsPath(WORKSPACE)}?access_token=${token}`],
      [`${eventsPath(WORKSPACE)}?x=${MARK}`, [['Authorization', `Bearer ${token}`]]],
      [`/realtime/workspace/%zz${MARK}/events`],
      [
        `/${MARK}`,
        [
          ['tracestate', `a=${MARK}`],
          ['baggage', `b=${MARK}`],
          ['Referer', `/${MARK}`],
        ],
      ],
      [
        `/${MARK}`,
        [
          ['traceparent', TRACEPARENT],
          ['tracestate', `a=sst_${MARK}`],
        ],
      ],
      [`/${MARK}`, [], 'PROPFIND'],
      [`${eventsPath(WORKSPACE)}?stream_token=${MARK}`],
    ];
    for (const [index, [path, headers, method]] of asked.entries()) {
      await get(path, `marked-${index}`, headers, method);
      await spansOf(`marked-${index}`);
    }
    expect(await spansText()).not.toContain(MARK);
    expect(playground.service.stderr.items.join('\n')).not.toContain(MARK);
    const names = new Set((await spans()).map(({ name }) => name));
    const known = [`GET ${ROUTE}`, `POST ${ROUTE}`, 'GET', 'HTTP', 'publish', 'stream open'];
    expect([...names].filter((name) => !known.includes(name)).sort()).toEqual([
      'gate permission',
      'gate places',
      'gate token',
      'stream end',
    ]);
  });
});

describe('ops/opentelemetry/otel.mjs', () => {
  it('prints the spans of a service', async () => {
    await using service = await Service.start({
      env: {
        NODE_OPTIONS: `--import ${EXAMPLE}`,
        OTEL_TRACES_EXPORTER: 'console',
        SAMPLE_RATIO: '1',
      },
    });
    await fetch(`${service.url}/nothing?access_token=${MARK}`);
    await service.stdout.find((line) => line.includes("'http.request.method': 'GET'"));
    expect(await service.stop()).toMatchObject({ code: 0 });
    expect(service.stdout.items.join('\n')).not.toContain(MARK);
  });
});
