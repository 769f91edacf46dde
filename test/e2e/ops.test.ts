import { describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { codeOf, readDocument, tableRows } from '../docs/markdown.js';
import { openStream, startNodes } from '../support/nodes.js';
import { numbered, startPlayground, WORKSPACE } from '../support/playground.js';
import { Service } from '../support/service.js';
import { numbersOf } from '../support/stream-records.js';
import { freePort } from '../support/test-service.js';
import { createTestIssuer } from '../support/tokens.js';
import { describeWith } from '../support/tools.js';
import { until } from '../support/until.js';

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const NUMBER = '(?:-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|[+-]Inf|NaN)';
const HELP = new RegExp(`^# HELP (${NAME}) \\S.*$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (${NUMBER})$`);

/** What a scrape told: values by name and labels, as they stand in the text. */
interface Scrape {
  readonly samples: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, string>;
  readonly labels: ReadonlySet<string>;
}

/** Reads the text format of Prometheus, version 0.0.4, and accepts nothing else. */
function readMetrics(text: string): Scrape {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  const labels = new Set<string>();
  let current = '';
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').filter((part) => part !== '')) {
    const [, helped] = HELP.exec(line) ?? [];
    const [, typed, type = ''] = TYPE.exec(line) ?? [];
    const [, name, labelText = '', value] = SAMPLE.exec(line) ?? [];
    if (helped !== undefined) {
      // All that is said of a metric stands together, and once.
      expect(types.has(helped)).toBe(false);
      current = helped;
    } else if (typed !== undefined) {
      expect(typed).toBe(current);
      types.set(typed, type);
    } else if (name !== undefined) {
      expect(name.replace(/_(sum|count|bucket)$/, '')).toBe(current);
      for (const [, label = ''] of labelText.matchAll(/([a-zA-Z0-9_]+)="/g)) {
        labels.add(`${current} ${label}`);
      }
      const key = labelText === '' ? name : `${name}{${labelText}}`;
      expect(samples.has(key)).toBe(false);
      samples.set(key, Number(value));
    } else {
      throw new Error(`not a line of metrics: ${line}`);
    }
  }
  return { samples, types, labels };
}

async function scrape(opsUrl: string): Promise<Scrape> {
  const response = await fetch(`${opsUrl}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return readMetrics(await response.text());
}

describe('the port for operators', () => {
  it('tells what the service counts, in words that Prometheus reads', async () => {
    await using playground = await startPlayground({ env: { OPS_PORT: '0' } });
    const { service, token, issuer } = playground;
    using stream = await openStream(service, token);
    using other = await openStream(service, token);
    await other.next('stream.connected');
    await playground.publish(numbered(1, 5));
    await stream.received.find(() => numbersOf(stream).length === 5);
    expect((await fetch(service.url + eventsPath(WORKSPACE))).status).toBe(401);
    expect((await fetch(`${service.url}/nothing`)).status).toBe(404);
    const foreign = issuer.mint({ workspace: 'other' });
    const refused = `${service.url}${eventsPath(WORKSPACE)}?errors=stream&access_token=${foreign}`;
    expect(await (await fetch(refused)).text()).toContain('WORKSPACE_MISMATCH');
    other[Symbol.dispose]();

    const { samples, types, labels } = await until('a stream has gone', async () => {
      const found = await scrape(service.opsUrl);
      return found.samples.get('sluice_streams') === 1 ? found : null;
    });
    expect(Object.fromEntries(samples)).toMatchObject({
      sluice_ready: 1,
      sluice_log_available: 1,
      sluice_streams: 1,
      sluice_streams_opened_total: 2,
      'sluice_streams_ended_total{code="client"}': 1,
      'sluice_requests_refused_total{code="MISSING_TOKEN"}': 1,
      'sluice_requests_refused_total{code="NOT_FOUND"}': 1,
      'sluice_requests_refused_total{code="WORKSPACE_MISMATCH"}': 1,
      sluice_stream_workspaces: 1,
      sluice_events_published_total: 5,
      sluice_log_workspaces: 1,
      sluice_log_events: 5,
    });
    for (const name of [
      'sluice_events_published_bytes_total',
      'sluice_tail_bytes',
      'sluice_history_cache_limit_bytes',
      'sluice_log_bytes',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
    ]) {
      expect([name, samples.get(name) ?? 0]).toEqual([name, expect.any(Number)]);
      expect(samples.get(name)).toBeGreaterThan(0);
    }
    for (const name of ['p50', 'p99', 'max']) {
      const seconds = samples.get(`sluice_event_loop_delay_${name}_seconds`);
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(seconds).toBeLessThan(10);
    }
    expect(samples.has('sluice_redis_available')).toBe(false);
    // What callers choose, such as a workspace, is no label: there would be as many series as callers please.
    const ours = [...labels].filter((label) => label.startsWith('sluice_'));
    expect(new Set(ours)).toEqual(
      new Set(['sluice_streams_ended_total code', 'sluice_requests_refused_total code']),
    );
    const named = [...types].filter(([name]) => name.startsWith('sluice_'));
    for (const [name, type] of named) expect(name.endsWith('_total')).toBe(type === 'counter');
    const documented = tableRows(readDocument('docs/configuration.md'), 'metrics').map(([name]) =>
      codeOf(name),
    );
    expect([...named.map(([name]) => name), 'sluice_redis_available'].sort()).toEqual(
      documented.sort(),
    );
  }, 30_000);

  it('answers what it is there for, and the public port none of it', async () => {
    await using playground = await startPlayground({ env: { OPS_PORT: '0' } });
    const { opsUrl, url } = playground.service;
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect((await fetch(url + path)).status).toBe(404);
      const whole = await fetch(opsUrl + path);
      expect(whole.status).toBe(200);
      expect(whole.headers.get('cache-control')).toBe('no-store');
      const head = await fetch(opsUrl + path, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
      const posted = await fetch(opsUrl + path, { method: 'POST', body: '{}' });
      expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
    expect((await fetch(`${opsUrl}/`)).status).toBe(404);
    expect((await fetch(`${opsUrl}${eventsPath(WORKSPACE)}`)).status).toBe(404);
  }, 30_000);

  it('says that a node is not ready whose issuer has never given its keys', async () => {
    const issuer = await createTestIssuer();
    const nobody = `http://127.0.0.1:${await freePort()}/keys`;
    const env = { ...issuer.settings(nobody), OPS_PORT: '0' };
    await using service = await Service.start({ env });
    const response = await fetch(`${service.opsUrl}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: 'not ready', missing: ['keys'] });
  }, 30_000);

  it('cannot be one that is taken: the service says so, and does not start', async () => {
    await using playground = await startPlayground({ env: { OPS_PORT: '0' } });
    const { port } = new URL(playground.service.opsUrl);
    await expect(startPlayground({ env: { OPS_PORT: port } })).rejects.toThrow(
      `port ${port} of 127.0.0.1 (OPS_PORT) cannot be used (EADDRINUSE)`,
    );
  }, 30_000);
});

describeWith('redis-server', 'the port for operators of a node among others', () => {
  it('says that it is not ready while Redis is away, and that it is when Redis is back', async () => {
    await using nodes = await startNodes({ count: 1, env: { OPS_PORT: '0' } });
    const { opsUrl } = nodes.first.service;
    const readiness = async () => {
      const response = await fetch(`${opsUrl}/readyz`);
      return { code: response.status, text: await response.text() };
    };
    // The keys of the issuer may still be on their way.
    await until('it is ready', async () => (await readiness()).code === 200);
    expect((await scrape(opsUrl)).samples.get('sluice_redis_available')).toBe(1);

    await nodes.redis.kill();
    const { text } = await until('it is not ready', async () => {
      const found = await readiness();
      return found.code === 503 ? found : null;
    });
    expect(JSON.parse(text)).toEqual({ status: 'not ready', missing: ['log', 'redis'] });
    const { samples } = await scrape(opsUrl);
    expect(samples.get('sluice_redis_available')).toBe(0);
    expect(samples.get('sluice_ready')).toBe(0);
    // What cannot be known is not told, rather than told as nothing.
    expect(samples.has('sluice_log_bytes')).toBe(false);

    await nodes.redis.start();
    await until('it is ready', async () => (await readiness()).code === 200);
    expect((await scrape(opsUrl)).samples.get('sluice_log_bytes')).toBeGreaterThan(0);
  }, 40_000);
});
