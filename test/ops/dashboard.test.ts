import { describe, expect, it } from '@jest/globals';
import { dashboard, type Panel, panels, readOps } from './watched.js';

const COLUMNS = 24;

describe('the dashboard in ops/grafana', () => {
  it('is of a form that Grafana 10 and later read', () => {
    // 38 came with Grafana 10.0; later ones bring it up to theirs.
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(38);
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual([
      'datasource',
      'job',
      'instance',
    ]);
    expect(dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual(
      ['Traffic', 'Gate', 'Delivery', 'Log and Redis', 'Process'],
    );
  });

  it('tells of each panel what it shows, and in what unit', () => {
    for (const { title, description = '', fieldConfig, targets = [] } of panels) {
      expect(title).toMatch(/\S/);
      expect([title, description]).toEqual([title, expect.stringMatching(/^[A-Z].{20,}\.$/s)]);
      expect([title, fieldConfig?.defaults.unit]).toEqual([title, expect.stringMatching(/\w/)]);
      expect(fieldConfig?.defaults.thresholds.steps.length).toBeGreaterThan(0);
      expect([title, targets.length]).not.toEqual([title, 0]);
      const refIds = targets.map(({ refId }) => refId);
      expect(new Set(refIds).size).toBe(refIds.length);
    }
    const titles = panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('gives each panel an id and a place of its own', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [at, panel] of dashboard.panels.entries()) {
      const { x, y, w, h } = panel.gridPos;
      expect(Math.min(x, y, w - 1, h - 1)).toBeGreaterThanOrEqual(0);
      expect(x + w).toBeLessThanOrEqual(COLUMNS);
      const others = dashboard.panels.slice(at + 1).filter((other) => overlap(panel, other));
      expect([panel.title, others.map(({ title }) => title)]).toEqual([panel.title, []]);
    }
  });

  it('asks the data source that is chosen, and none by a name of its own', () => {
    for (const { datasource, targets = [] } of panels) {
      for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
        expect(source?.uid).toBe(['$', '{datasource}'].join(''));
      }
    }
    const uids = [...readOps('grafana/sluice.json').matchAll(/"uid": "([^"]*)"/g)];
    // Its own, and the variable.
    expect(new Set(uids.map(([, uid]) => uid)).size).toBe(2);
  });
});

function overlap({ gridPos: one }: Panel, { gridPos: other }: Panel): boolean {
  return (
    one.x < other.x + other.w &&
    other.x < one.x + one.w &&
    one.y < other.y + other.h &&
    other.y < one.y + one.h
  );
}
