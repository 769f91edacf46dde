import { describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { codeOf, readDocument, tableRows } from '../docs/markdown.js';
import { freePort } from '../support/free-port.js';
import { lint, namesOf, type Scrape, scrape } from '../support/metrics.js';
import { openStream, startNodes } from '../support/nodes.js';
import { startPermissionServer } from '../support/permission-server.js';
import { numbered, startPlayground, WORKSPACE } from '../support/playground.js';
import { Service } from '../support/service.js';
import { numbersOf } from '../support/stream-records.js';
import { createTestIssuer } from '../support/tokens.js';
import { describeWith, findTool } from '../support/tools.js';
import { until } from '../support/until.js';

const { version } = JSON.parse(readDocument('server/package.json')) as { version: string };

/** All there are; `le` is that of histograms. */
const LABELS = [
  'sluice_build_info version',
  'sluice_build_info node',
  'sluice_log_lines_lost_total log',
  'sluice_streams_ended_total code',
  'sluice_gaps_total reason',
  'sluice_workspace_streams workspace',
  'sluice_workspace_events_published_total workspace',
  'sluice_workspace_events_delivered_total workspace',
  'sluice_requests_refused_total code',
  'sluice_gate_step_seconds step',
  'sluice_gate_step_seconds outcome',
  'sluice_gate_step_seconds le',
  'sluice_jwks_fetches_total issuer',
  'sluice_jwks_fetches_total outcome',
  'sluice_jwks_age_seconds issuer',
  'sluice_jwks_keys issuer',
  'sluice_permission_decisions_total permission',
  'sluice_permission_decisions_total outcome',
  'sluice_log_append_seconds le',
  'sluice_publish_to_write_seconds le',
];

/** The names in the table, those that are told with a setting alone where it is that one. */
function documented(setting: 'REDIS_URL' | 'AUTHZEN_URL' | null): string[] {
  return tableRows(readDocument('docs/configuration.md'), 'metrics')
    .filter(([, meaning = '']) => {
      const [, needed] = /only with `([A-Z_]+)`/.exec(meaning) ?? [];
      return needed === undefined || needed === setting;
    })
    .map(([name]) => codeOf(name) ?? '')
    .sort();
}

function lintWhereItCanBe(found: Scrape): void {
  const promtool = findTool('promtool');
  if ('path' in promtool) lint(promtool.path, found);
}

describe('the port for operators', () => {
  it('tells what the service counts, in words that Prometheus reads', async () => {
    const env = { OPS_PORT: '0', METRICS_WORKSPACES: `${WORKSPACE},quiet` };
    await using playground = await startPlayground({ env });
    const { service, token, issuer } = playground;
    using stream = await openStream(service, token);
    using other = await openStream(service, token);
    await other.next('stream.connected');
    await playground.publish(numbered(1, 5));
    await stream.received.find(() => numbersOf(stream).length === 5);
    await other.received.find(() => numbersOf(other).length === 5);
    expect((await fetch(service.url + eventsPath(WORKSPACE))).status).toBe(401);
    expect((await fetch(`${service.url}/nothing`)).status).toBe(404);
    const foreign = issuer.mint({ workspace: 'other' });
    const refused = `${service.url}${eventsPath(WORKSPACE)}?errors=stream&access_token=${foreign}`;
    expect(await (await fetch(refused)).text()).toContain('WORKSPACE_MISMATCH');
    other[Symbol.dispose]();

    const found = await until('a stream has gone', async () => {
      const last = await scrape(service.opsUrl);
      return last.samples.get('sluice_streams') === 1 ? last : null;
    });
    const { samples, types, labels } = found;
    const byIssuer = `issuer="${issuer.settings('')['TOKEN_ISSUER']}"`;
    expect(Object.fromEntries(samples)).toMatchObject({
      [`sluice_build_info{version="${version}",node="${process.version}"}`]: 1,
      sluice_ready: 1,
      sluice_log_available: 1,
      'sluice_log_lines_lost_total{log="log"}': 0,
      'sluice_log_lines_lost_total{log="audit"}': 0,
      sluice_streams: 1,
      sluice_streams_limit: 100_000,
      sluice_streams_opened_total: 2,
      'sluice_streams_ended_total{code="client"}': 1,
      'sluice_streams_ended_total{code="SLOW_CONSUMER"}': 0,
      'sluice_requests_refused_total{code="MISSING_TOKEN"}': 1,
      'sluice_requests_refused_total{code="NOT_FOUND"}': 1,
      'sluice_requests_refused_total{code="WORKSPACE_MISMATCH"}': 1,
      'sluice_requests_refused_total{code="INTERNAL_ERROR"}': 0,
      sluice_stream_workspaces: 1,
      sluice_stream_rechecks_failing: 0,
      sluice_blocked_streams: 0,
      sluice_queued_bytes: 0,
      sluice_lagging_streams: 0,
      'sluice_gaps_total{reason="expired"}': 0,
      sluice_events_published_total: 5,
      sluice_events_delivered_total: 10,
      sluice_events_replayed_total: 0,
      sluice_publish_to_write_seconds_count: 1,
      sluice_log_append_seconds_count: 1,
      sluice_log_append_failures_total: 0,
      sluice_log_workspaces: 1,
      sluice_log_events: 5,
      sluice_revocations: 0,
      [`sluice_jwks_fetches_total{${byIssuer},outcome="ok"}`]: 1,
      [`sluice_jwks_fetches_total{${byIssuer},outcome="failed"}`]: 0,
      [`sluice_jwks_keys{${byIssuer}}`]: 1,
      // Two streams and a publish; who had no token, or one of elsewhere, was refused.
      'sluice_gate_step_seconds_count{step="token",outcome="ok"}': 3,
      'sluice_gate_step_seconds_count{step="token",outcome="refused"}': 2,
      'sluice_gate_step_seconds_count{step="token",outcome="failed"}': 0,
      'sluice_gate_step_seconds_count{step="permission",outcome="ok"}': 3,
      'sluice_gate_step_seconds_count{step="places",outcome="ok"}': 2,
      'sluice_permission_decisions_total{permission="realtime:subscribe",outcome="allowed"}': 2,
      'sluice_permission_decisions_total{permission="realtime:publish",outcome="allowed"}': 1,
      'sluice_permission_decisions_total{permission="realtime:admin",outcome="denied"}': 0,
      [`sluice_workspace_streams{workspace="${WORKSPACE}"}`]: 1,
      'sluice_workspace_streams{workspace="quiet"}': 0,
      [`sluice_workspace_events_published_total{workspace="${WORKSPACE}"}`]: 5,
      [`sluice_workspace_events_delivered_total{workspace="${WORKSPACE}"}`]: 10,
    });
    for (const name of [
      'sluice_events_published_bytes_total',
      'sluice_written_bytes_total',
      'sluice_publish_to_write_seconds_sum',
      'sluice_log_append_seconds_sum',
      `sluice_jwks_age_seconds{${byIssuer}}`,
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
    // What callers choose, such as a workspace, is no label: there would be as many series as callers please.
    const ours = [...labels].filter((label) => label.startsWith('sluice_'));
    expect(ours.sort()).toEqual([...LABELS].sort());
    for (const [name, type] of types) {
      if (name.startsWith('sluice_')) expect(name.endsWith('_total')).toBe(type === 'counter');
    }
    expect(namesOf(found)).toEqual(documented(null));
    for (const secret of [token, foreign, 'access_token']) expect(found.text).not.toContain(secret);
  }, 30_000);

  it('tells of a decision point how it is asked', async () => {
    await using permissions = await startPermissionServer();
    const env = { ...permissions.settings, OPS_PORT: '0', AUTHZEN_CACHE_MS: '60000' };
    await using playground = await startPlayground({ env });
    await playground.publish(numbered(1, 1));
    await playground.publish(numbered(2, 2));
    permissions.answer = 'nothing';
    const refused = await fetch(playground.service.url + eventsPath(WORKSPACE), {
      headers: { Authorization: `Bearer ${playground.token}` },
    });
    expect(refused.status).toBe(503);
    const found = await scrape(playground.service.opsUrl);
    expect(Object.fromEntries(found.samples)).toMatchObject({
      'sluice_permission_calls_total{outcome="ok"}': 1,
      'sluice_permission_calls_total{outcome="failed"}': 1,
      sluice_permission_cache_hits_total: 1,
      sluice_permission_calls_waiting: 0,
      sluice_permission_breaker_open: 0,
      'sluice_permission_decisions_total{permission="realtime:publish",outcome="allowed"}': 2,
      'sluice_permission_decisions_total{permission="realtime:subscribe",outcome="failed"}': 1,
      'sluice_gate_step_seconds_count{step="permission",outcome="failed"}': 1,
    });
    expect(namesOf(found)).toEqual(documented('AUTHZEN_URL'));
    lintWhereItCanBe(found);
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
      `port ${port} of 127.0.0.1 is taken: set OPS_PORT to another one`,
    );
  }, 30_000);
});

describeWith('promtool', 'the metrics', (promtool) => {
  it('are as Prometheus would have them', async () => {
    const env = { OPS_PORT: '0', METRICS_WORKSPACES: WORKSPACE };
    await using playground = await startPlayground({ env });
    const found = await scrape(playground.service.opsUrl);
    expect(() => lint(promtool, found)).not.toThrow();
    const worse = {
      ...found,
      text: found.text.replaceAll('sluice_revocations', 'sluice_revs_total'),
    };
    expect(() => lint(promtool, worse)).toThrow('sluice_revs_total');
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
    const found = await until('Redis has answered a question', async () => {
      const last = await scrape(opsUrl);
      return last.samples.has('sluice_redis_lag_seconds') ? last : null;
    });
    expect(found.samples.get('sluice_redis_available')).toBe(1);
    expect(found.samples.get('sluice_redis_lag_seconds')).toBeLessThan(10);
    expect(found.samples.get('sluice_redis_command_seconds_count')).toBeGreaterThan(0);
    expect(namesOf(found)).toEqual(documented('REDIS_URL'));
    lintWhereItCanBe(found);
    const breaks = found.samples.get('sluice_redis_breaks_total') ?? Number.NaN;

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
    expect(samples.has('sluice_redis_lag_seconds')).toBe(false);
    expect(samples.get('sluice_redis_breaks_total')).toBeGreaterThan(breaks);

    await nodes.redis.start();
    await until('it is ready', async () => (await readiness()).code === 200);
    expect((await scrape(opsUrl)).samples.get('sluice_log_bytes')).toBeGreaterThan(0);
  }, 40_000);
});
