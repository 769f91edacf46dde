import type { Machine } from '../machine.js';
import type { FigureResult } from '../results.js';
import { formatBound, formatNumber, formatRuns } from './format.js';

/** The results as a page of Markdown. */
export function renderPage(
  figures: readonly FigureResult[],
  machine: Machine,
  { command, runs }: { command: string; runs: number },
): string {
  return [
    '<!-- Made by `npm run bench`. What it means stands in ../performance.md. -->',
    '# Results of the benchmark',
    `The last run was \`${command}\`. Numbers are medians of ${runs} runs, with the least and the most of them in brackets; a figure is measured as a whole, on the day that is given.`,
    table(
      ['', ''],
      Object.entries(machine).map(([name, value]) => [name, value]),
    ),
    '## What was to be reached',
    table(
      ['figure', 'what', 'wanted', 'measured', 'reached'],
      figures.flatMap(({ title, targets }) =>
        targets.map(({ says, bound, value, isReached }) => [
          `[${title}](#${anchorOf(title)})`,
          says,
          formatBound(bound),
          formatNumber(value),
          isReached ? 'yes' : '**no**',
        ]),
      ),
    ),
    ...figures.map(renderFigure),
    '',
  ].join('\n\n');
}

/** One figure as it is printed while the benchmark runs, and on the page. */
export function renderFigure({
  name,
  title,
  method,
  measuredOn,
  units,
  subjects,
}: FigureResult): string {
  const values = Object.keys(units).filter((value) =>
    subjects.some((subject) => subject.values[value] !== undefined),
  );
  const rows = subjects.map((subject) => [
    subject.subject,
    ...values.map((value) => formatRuns(subject.values[value] ?? [])),
  ]);
  const heads = values.map((value) => {
    const unit = units[value];
    return unit === '' || value.includes(unit ?? '') ? value : `${value}, ${unit}`;
  });
  return [
    `## ${title}`,
    `${method} Measured on ${measuredOn}.`,
    `![${title}](${name}.svg)`,
    table(['', ...heads], rows),
  ].join('\n\n');
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

/** As GitHub makes the anchor of a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-');
}
