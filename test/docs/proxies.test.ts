import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFile(join(ROOT, path), 'utf8');

/** Everything with this name, wherever it stands. */
function allOf(value: unknown, name: string): unknown[] {
  if (Array.isArray(value)) return value.flatMap((one) => allOf(one, name));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [
    ...(key === name ? [part] : []),
    ...allOf(part, name),
  ]);
}

describe('configurations that no test can run', () => {
  it('of Envoy name what their documents know, and log nothing of a request', async () => {
    const envoy: unknown = parse(await read('ops/envoy/envoy.yaml'));
    const clusters = allOf(envoy, 'clusters').flat() as { name: string }[];
    const wanted = new Set(allOf(envoy, 'cluster'));
    expect([...wanted]).toEqual(clusters.map(({ name }) => name));
    expect(allOf(envoy, 'timeout')).toContain('0s');
    expect(allOf(envoy, 'admin')).toEqual([]);
    const [format] = allOf(envoy, 'json_format') as [Record<string, string>];
    const operators = Object.values(format)
      .join(' ')
      .match(/%[^%]+%/g);
    expect(operators?.sort()).toEqual([
      '%BYTES_SENT%',
      '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
      '%DURATION%',
      '%REQ(X-REQUEST-ID)%',
      '%RESPONSE_CODE%',
      '%RESPONSE_FLAGS%',
      '%ROUTE_NAME%',
      '%START_TIME%',
      '%UPSTREAM_HOST%',
    ]);
    // The one header that is logged is never the client's.
    expect(allOf(envoy, 'remove')).toContain('x-request-id');
  });

  it('of Traefik name what stands in them, and log nothing of a request', async () => {
    const start = parse(await read('ops/traefik/traefik.yaml'));
    const { http, tls } = parse(await read('ops/traefik/sluice.yaml'));
    for (const router of Object.values<Record<string, unknown>>(http.routers)) {
      for (const name of router['entryPoints'] as string[]) {
        expect(Object.keys(start.entryPoints)).toContain(name);
      }
      for (const name of router['middlewares'] as string[]) {
        expect(Object.keys(http.middlewares)).toContain(name);
      }
      expect([...Object.keys(http.services), 'noop@internal']).toContain(router['service']);
    }
    expect(Object.keys(http.serversTransports)).toEqual(allOf(http.services, 'serversTransport'));
    // Options of another name hold for rules with a Host alone.
    expect(Object.keys(tls.options)).toEqual(['default']);
    expect(start.entryPoints.sluice.http.tls).toEqual({});
    expect(start.log.level).toBe('FATAL');
    const { fields } = start.accessLog;
    expect([fields.defaultMode, fields.headers]).toEqual(['drop', { defaultMode: 'drop' }]);
    expect(
      Object.keys(fields.names).filter((name) => /^Request|Username|Subject/.test(name)),
    ).toEqual([]);
  });
});

describe('the page on proxies', () => {
  it('names every configuration that is shipped, and each has a page of its own', async () => {
    const page = await read('docs/proxies.md');
    const folders = ['nginx', 'apache', 'haproxy', 'caddy', 'varnish', 'envoy', 'traefik'];
    const shipped = await readdir(join(ROOT, 'ops'));
    for (const folder of folders) {
      expect(shipped).toContain(folder);
      expect(page).toContain(`../ops/${folder}/README.md`);
      expect(await read(`ops/${folder}/README.md`)).toMatch(/^# /);
    }
  });

  it('gives a source to each thing that it says of a cloud', async () => {
    const page = await read('docs/proxies.md');
    const clouds = page.slice(page.indexOf('## Clouds'));
    const rows = clouds.split('\n').filter((line) => /^\| (?!---|what)/.test(line));
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => !row.includes('https://'))).toEqual([]);
  });
});
