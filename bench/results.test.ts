import { describe, expect, test } from '@jest/globals';
import type { Figure } from './figure.js';
import { renderChart } from './report/chart.js';
import { renderPage } from './report/page.js';
import { median, runFigure } from './results.js';

/** Two subjects whose runs give 1, 2, 9 and ten times as much. */
function figureOf(bound: Figure['targets'][number]['bound']): Figure {
  const counting = (factor: number) => {
    const values = [9, 1, 2];
    return async () => ({ rate: (values.shift() as number) * factor });
  };
  return {
    name: 'example',
    title: 'An <example>',
    method: 'By hand.',
    units: { rate: 'events/s' },
    subjects: [
      { name: 'Sluice', measure: counting(10) },
      { name: 'other', measure: counting(1) },
    ],
    targets: [{ says: 'ratio', value: (of) => of('Sluice', 'rate') / of('other', 'rate'), bound }],
  };
}

describe('results', () => {
  test('compare the medians of all runs', async () => {
    const order: string[] = [];
    const { subjects, targets } = await runFigure(figureOf({ atLeast: 10 }), 3, (subject) =>
      order.push(subject),
    );
    expect(subjects[0]?.values).toEqual({ rate: [90, 10, 20] });
    expect(targets).toEqual([
      { says: 'ratio', bound: { atLeast: 10 }, value: 10, isReached: true },
    ]);
    expect(order.slice(0, 3)).toEqual(['Sluice', 'other', 'Sluice']);
  });

  test.each([
    [{ atLeast: 10.1 }, false],
    [{ below: 10 }, true],
    [{ below: 9.9 }, false],
  ])('say whether %j is reached: %j', async (bound, isReached) => {
    const { targets } = await runFigure(figureOf(bound), 3, () => {});
    expect(targets[0]?.isReached).toBe(isReached);
  });

  test('refuse to compare what was not measured', async () => {
    const figure = figureOf({ atLeast: 1 });
    const target = {
      ...figure.targets[0],
      value: (of: (a: string, b: string) => number) => of('nobody', 'rate'),
    };
    await expect(runFigure({ ...figure, targets: [target as never] }, 1, () => {})).rejects.toThrow(
      '"rate" of "nobody" was not measured',
    );
  });

  test('are a page and a chart', async () => {
    const result = await runFigure(figureOf({ atLeast: 11 }), 3, () => {});
    const page = renderPage([result], { Node: 'v20' }, { command: 'npm run bench', runs: 3 });
    expect(page).toContain('| Sluice | 20.0 (10.0–90.0) |');
    expect(page).toContain('| ratio | at least 11.0 | 10.0 | **no** |');
    const chart = renderChart(result);
    expect(chart).toContain('An &lt;example&gt;');
    expect(chart.match(/<rect class="ours"/g)).toHaveLength(1);
    expect(chart.match(/<rect class="other"/g)).toHaveLength(1);
  });

  test('take the middle of an even number of runs', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow('nothing was measured');
  });
});
