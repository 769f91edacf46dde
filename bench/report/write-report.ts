import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '../machine.js';
import type { FigureResult } from '../results.js';
import { renderChart } from './chart.js';
import { renderPage } from './page.js';

export interface Report {
  readonly figures: readonly FigureResult[];
  readonly machine: Machine;
  readonly command: string;
  readonly runs: number;
}

/** A figure that is measured again takes the place of the former one; the others stay. */
function mergeFigures(
  former: readonly FigureResult[],
  measured: readonly FigureResult[],
): readonly FigureResult[] {
  const isNew = ({ name }: FigureResult) => former.every((figure) => figure.name !== name);
  const renewed = former.map(
    (figure) => measured.find(({ name }) => name === figure.name) ?? figure,
  );
  return [...renewed, ...measured.filter(isNew)];
}

async function readFigures(path: string): Promise<readonly FigureResult[]> {
  try {
    return (JSON.parse(await readFile(path, 'utf8')) as Report).figures;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Writes `results.json`, `results.md` and a chart for each figure. */
export async function writeReport(folder: string, report: Report): Promise<void> {
  const { figures, machine, command, runs } = report;
  await mkdir(folder, { recursive: true });
  const merged = mergeFigures(await readFigures(join(folder, 'results.json')), figures);
  const whole = { ...report, figures: merged };
  await writeFile(join(folder, 'results.json'), `${JSON.stringify(whole, null, 2)}\n`);
  await writeFile(join(folder, 'results.md'), renderPage(merged, machine, { command, runs }));
  for (const figure of figures) {
    await writeFile(join(folder, `${figure.name}.svg`), renderChart(figure));
  }
}
