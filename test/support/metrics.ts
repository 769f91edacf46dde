import { execFileSync } from 'node:child_process';
import { expect } from '@jest/globals';

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const NUMBER = '(?:-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|[+-]Inf|NaN)';
const HELP = new RegExp(`^# HELP (${NAME}) \\S.*$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (${NUMBER})$`);

/** What a scrape told: values by name and labels, as they stand in the text. */
export interface Scrape {
  readonly samples: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, string>;
  /** A metric and the name of a label, with a space between. */
  readonly labels: ReadonlySet<string>;
  readonly text: string;
}

/** Reads the text format of Prometheus, version 0.0.4, and accepts nothing else. */
export function readMetrics(text: string): Scrape {
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
  return { samples, types, labels, text };
}

export async function scrape(opsUrl: string): Promise<Scrape> {
  const response = await fetch(`${opsUrl}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return readMetrics(await response.text());
}

/** Has Prometheus's own tool read what was scraped; what it finds amiss is thrown. */
export function lint(promtool: string, { text }: Scrape): void {
  execFileSync(promtool, ['check', 'metrics'], { input: text, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Of our own, by name, in order. */
export function namesOf({ types }: Scrape): string[] {
  return [...types.keys()].filter((name) => name.startsWith('sluice_')).sort();
}
