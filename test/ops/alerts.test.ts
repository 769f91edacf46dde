import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { codeOf, ROOT, readDocument, tableRows } from '../docs/markdown.js';
import { describeWith } from '../support/tools.js';
import { alerts, panelExpressions, readOps, recordings, selectionsIn } from './watched.js';

const FOLDER = join(ROOT, 'ops/prometheus');
const run = promisify(execFile);

describeWith('promtool', 'the rules in ops/prometheus', (promtool) => {
  const judge = async (...args: string[]) => (await run(promtool, args, { cwd: FOLDER })).stdout;

  it('are configuration that Prometheus takes', async () => {
    expect(await judge('check', 'config', 'prometheus.yml')).toContain('SUCCESS');
    expect(await judge('check', 'rules', '--lint-fatal', 'recording.yml', 'alerts.yml')).toContain(
      `${alerts.length} rules found`,
    );
  });

  it('fire where they should, and nowhere else', async () => {
    expect(await judge('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
  }, 60_000);
});

interface Scenario {
  readonly promql_expr_test?: readonly {
    readonly exp_samples: readonly { readonly labels: string }[];
  }[];
}

describe('the alerts', () => {
  it('are seen to fire in a scenario, each of them', () => {
    const { tests } = parse(readOps('prometheus/alerts.test.yml')) as { tests: Scenario[] };
    const fired = tests
      .flatMap(({ promql_expr_test = [] }) => promql_expr_test)
      .flatMap(({ exp_samples }) => exp_samples)
      .flatMap(({ labels }) => /alertname="(\w+)"/.exec(labels)?.[1] ?? []);
    expect([...new Set(fired)].sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });

  it('say how urgent they are, what they are, and where to read on', () => {
    for (const { alert, labels, annotations, for: wait } of alerts) {
      expect([alert, labels['severity']]).toEqual([
        alert,
        expect.stringMatching(/^(page|ticket)$/),
      ]);
      expect([alert, wait]).toEqual([alert, expect.stringMatching(/^\d+[mh]$/)]);
      expect(Object.keys(annotations).sort()).toEqual(['description', 'runbook_url', 'summary']);
      expect(annotations['runbook_url']).toMatch(
        new RegExp(`/operations\\.md#${alert.toLowerCase()}$`),
      );
    }
  });

  it('have a section in docs/operations.md, each its own, and no section is without its alert', () => {
    const sections = [...readDocument('docs/operations.md').matchAll(/^### (Sluice\w+)$/gm)];
    expect(sections.map(([, name]) => name)).toEqual(alerts.map(({ alert }) => alert));
  });
});

describe('what rules and dashboard are made of', () => {
  it('is documented: every metric of the service is in docs/configuration.md', () => {
    const documented = tableRows(readDocument('docs/configuration.md'), 'metrics').map(([name]) =>
      codeOf(name),
    );
    const known = new Set([...documented, ...recordings.map(({ record }) => record)]);
    const used = [...alerts, ...recordings, ...panelExpressions()].flatMap(({ expr }) =>
      selectionsIn(expr).map(({ name }) => name),
    );
    expect(used.length).toBeGreaterThan(100);
    const unknown = used.filter(
      (name) =>
        !/^(process|nodejs)_/.test(name) &&
        !known.has(name) &&
        !known.has(name.replace(/_(bucket|count|sum)$/, '')),
    );
    expect([...new Set(unknown)]).toEqual([]);
  });
});
