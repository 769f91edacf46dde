import { type FigureResult, median } from '../results.js';
import { formatNumber } from './format.js';

const WIDTH = 860;
const LABELS = 250;
const BAR = 20;
const GAP = 10;
const TOP = 58;
/** The value that is written behind a bar. */
const VALUES = 110;

/** Bars of the medians of a figure's first value, with a line from the least to the most of its runs. */
export function renderChart({ title, units, subjects }: FigureResult): string {
  const [value = ''] = Object.keys(units);
  const bars = subjects.flatMap(({ subject, values }) => {
    const runs = values[value] ?? [];
    return runs.length === 0 ? [] : [{ subject, runs, middle: median(runs) }];
  });
  const most = Math.max(...bars.flatMap(({ runs }) => runs), Number.MIN_VALUE);
  const scale = (WIDTH - LABELS - VALUES) / most;
  const height = TOP + bars.length * (BAR + GAP) + GAP;
  const rows = bars.map(({ subject, runs, middle }, index) => {
    const y = TOP + index * (BAR + GAP);
    const width = Math.max(1, middle * scale);
    const [least, most] = [Math.min(...runs), Math.max(...runs)];
    const range =
      runs.length < 2
        ? ''
        : `<path class="range" d="M${at(LABELS + least * scale)} ${y + BAR / 2}H${at(LABELS + most * scale)}"/>`;
    const color = subject.startsWith('Sluice') ? 'ours' : 'other';
    const end = at(LABELS + Math.max(width, most * scale) + 8);
    return [
      `<text class="label" x="${LABELS - 10}" y="${y + 15}">${escaped(subject)}</text>`,
      `<rect class="${color}" x="${LABELS}" y="${y}" width="${at(width)}" height="${BAR}" rx="2"/>`,
      range,
      `<text x="${end}" y="${y + 15}">${formatNumber(middle)}</text>`,
    ].join('');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    '<style>text{font:13px system-ui,sans-serif;fill:#333}.label{text-anchor:end}.title{font-weight:600;font-size:15px}.ours{fill:#1769aa}.other{fill:#a9b4bf}.range{stroke:#333;stroke-width:1.5}</style>',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text class="title" x="16" y="24">${escaped(title)}</text>`,
    `<text x="16" y="44">${escaped(value)}; median, and the range of the runs</text>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

function at(position: number): string {
  return position.toFixed(1);
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
