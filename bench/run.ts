import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Bench } from './bench.js';
import type { Figure } from './figure.js';
import { allFigures } from './figures/all-figures.js';
import { describeMachine } from './machine.js';
import { compileNativePrograms } from './native.js';
import { installNeeds, installNode24 } from './needs.js';
import { formatBound, formatNumber } from './report/format.js';
import { renderFigure } from './report/page.js';
import { writeReport } from './report/write-report.js';
import { type FigureResult, runFigure } from './results.js';
import { ROOT } from './root.js';
import { TokenIssuer } from './tokens.js';

const USAGE = `npm run bench -- [options]

  --quick           a tenth of the streams, half a second each, one run: whether all of it works, not what it can do
  --only <names>    some of the figures, separated by commas
  --runs <count>    runs of each subject (3; 1 with --quick)
  --out <folder>    where the report goes (docs/performance; with --quick or --only it is only printed;
                    figures that stand there and are not measured again stay)
  --list            the names of the figures
`;
const DOCS = join(ROOT, 'docs/performance');

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      runs: { type: 'string' },
      out: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (availableParallelism() < 2) throw new Error('the server and the load need a core each');
  await installNeeds();
  const node24 = await installNode24();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => endEarly(folder));
  try {
    await using issuer = await TokenIssuer.open();
    const programs = await compileNativePrograms(folder);
    const bench = new Bench({ programs, issuer, folder, node24, isQuick: values.quick });
    const figures = chosen(allFigures(bench), values.only);
    if (values.list) {
      process.stdout.write(figures.map(({ name, title }) => `${name}  ${title}\n`).join(''));
      return;
    }
    const runs = readRuns(values.runs, values.quick);
    const isPartial = values.quick || values.only !== undefined;
    const out = values.out ?? (isPartial ? null : DOCS);
    const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
    const machine = describeMachine(node24);
    // After each figure, so that whoever ends it early has what was measured.
    await runAll(figures, runs, async (results) => {
      if (out !== null) await writeReport(out, { figures: results, machine, command, runs });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What was measured before has been written; the servers end with this process. */
function endEarly(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  process.exit(1);
}

async function runAll(
  figures: readonly Figure[],
  runs: number,
  onFigure: (results: readonly FigureResult[]) => Promise<void>,
): Promise<void> {
  const results: FigureResult[] = [];
  for (const figure of figures) {
    process.stderr.write(`\n${figure.title}\n`);
    const result = await runFigure(figure, runs, (subject, reading) => {
      const told = Object.entries(reading).map(([name, value]) => `${name} ${formatNumber(value)}`);
      process.stderr.write(`  ${subject}: ${told.join(', ')}\n`);
    });
    results.push(result);
    process.stdout.write(`${renderFigure(result)}\n\n`);
    for (const { says, bound, value, isReached } of result.targets) {
      const verdict = isReached ? 'reached' : 'NOT REACHED';
      process.stdout.write(`${verdict}: ${says}: ${formatNumber(value)}, ${formatBound(bound)}\n`);
    }
    process.stdout.write('\n');
    await onFigure(results);
  }
}

function chosen(figures: readonly Figure[], only: string | undefined): readonly Figure[] {
  if (only === undefined) return figures;
  const names = only.split(',');
  const unknown = names.filter((name) => !figures.some((figure) => figure.name === name));
  if (unknown.length > 0) throw new Error(`no such figure: ${unknown.join(', ')}`);
  return figures.filter(({ name }) => names.includes(name));
}

function readRuns(given: string | undefined, isQuick: boolean): number {
  const runs = Number(given ?? (isQuick ? 1 : 3));
  if (!Number.isInteger(runs) || runs < 1 || runs > 100) throw new Error('--runs is 1 to 100');
  return runs;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
