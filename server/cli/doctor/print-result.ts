import type { Verdict } from './finding.js';
import type { CheckResult } from './run-checks.js';

export interface Page {
  readonly columns: number;
  readonly hasColour: boolean;
}

const VERDICT_WIDTH = 9;
const TITLE_WIDTH = 18;
const MARGIN = ' '.repeat(VERDICT_WIDTH + TITLE_WIDTH);
const COLOURS: Readonly<Record<Verdict, string>> = {
  ok: '32',
  warning: '33',
  problem: '31',
  skipped: '2',
};

/** One check as a few aligned lines. The words carry the meaning; colour only helps to find them. */
export function printResult(
  { verdict, title, seen, advice }: CheckResult,
  { columns, hasColour }: Page,
): string {
  const width = Math.max(30, columns - MARGIN.length);
  const word = verdict.padEnd(VERDICT_WIDTH);
  const head = `${hasColour ? `\u001b[${COLOURS[verdict]}m${word}\u001b[0m` : word}${title.padEnd(TITLE_WIDTH)}`;
  const lines = [
    ...seen.flatMap((line) => wrap(line, width)),
    ...(advice === null ? [] : wrap(`To do: ${advice}`, width)),
  ];
  return lines.map((line, index) => `${index === 0 ? head : MARGIN}${line}\n`).join('');
}

/** At spaces, with what follows set in; a word that is too long stays whole, so that it can be copied. */
export function wrap(text: string, width: number): string[] {
  const indent = `${/^ */.exec(text)?.[0] ?? ''}  `;
  const lines: string[] = [];
  let line = /^ */.exec(text)?.[0] ?? '';
  for (const word of text.trim().split(/ (?! )/)) {
    const isFull = line.trim() !== '' && line.length + 1 + word.length > width;
    if (isFull) {
      lines.push(line);
      line = indent + word.trim();
    } else {
      line += line.trim() === '' ? word : ` ${word}`;
    }
  }
  return [...lines, line];
}
