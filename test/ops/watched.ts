import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../docs/markdown.js';

// What ops/ holds for those who watch the service: rules for Prometheus, and a dashboard for Grafana.

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: {
    readonly defaults: { readonly unit: string; readonly thresholds: { readonly steps: object[] } };
  };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: { readonly uid: string };
  }[];
}

export interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

export function readOps(path: string): string {
  return readFileSync(join(ROOT, 'ops', path), 'utf8');
}

function rulesOf<Rule>(path: string): Rule[] {
  const { groups } = parse(readOps(path)) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

export const alerts: readonly Alert[] = rulesOf('prometheus/alerts.yml');
export const recordings: readonly Recording[] = rulesOf('prometheus/recording.yml');
export const dashboard: Dashboard = JSON.parse(readOps('grafana/sluice.json'));
export const panels = dashboard.panels.filter(({ type }) => type !== 'row');

/** The expressions of the dashboard, with what Grafana puts in place of its variables. */
export function panelExpressions(): { readonly title: string; readonly expr: string }[] {
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ title, expr: filled(expr) })),
  );
}

export function filled(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$job', 'sluice')
    .replaceAll('$instance', '.*');
}

/** A metric that an expression names, and which series of it. */
export interface Selection {
  readonly name: string;
  /** Each of them must be there for the expression to mean something: alternatives of a pattern stand for themselves. */
  readonly series: readonly string[];
}

export function selectionsIn(expr: string): readonly Selection[] {
  const found = expr.matchAll(/\b((?:sluice_|process_|nodejs_|job:|job_code:)[\w:]+)(\{[^}]*\})?/g);
  return [...found].map(([, name = '', selector = '']) => ({
    name,
    series: alternatives(name + selector),
  }));
}

function alternatives(selection: string): string[] {
  const [whole, label = '', pattern = ''] =
    /(\w+)=~"([A-Za-z_]+(?:\|[A-Za-z_]+)+)"/.exec(selection) ?? [];
  if (whole === undefined) return [selection];
  return pattern.split('|').map((value) => selection.replace(whole, `${label}="${value}"`));
}
