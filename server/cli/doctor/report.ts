import type { Verdict } from './finding.js';
import { type CheckResult, STOPPED } from './run-checks.js';

export type Outcome = 'well' | 'problem' | 'unreachable' | 'incomplete';

/** Exit codes by outcome (docs/doctor.md); 2 is for a command line that cannot stand. */
export const EXIT_CODES: Readonly<Record<Outcome, number>> = {
  well: 0,
  problem: 1,
  unreachable: 3,
  incomplete: 4,
};

/** The checks without whose success nothing answers at all. */
const REACHING = ['dns', 'connection'];

/** All that `--json` prints; `format` grows when a member changes its meaning. */
export interface Report {
  readonly format: 1;
  readonly url: string;
  readonly workspace: string | null;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly outcome: Outcome;
  readonly exitCode: number;
  readonly summary: string;
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly checks: readonly CheckResult[];
}

export function makeReport(
  about: Pick<Report, 'url' | 'workspace' | 'startedAt' | 'durationMs'>,
  checks: readonly CheckResult[],
): Report {
  const outcome = outcomeOf(checks);
  const count = (verdict: Verdict) => checks.filter((check) => check.verdict === verdict).length;
  return {
    format: 1,
    ...about,
    outcome,
    exitCode: EXIT_CODES[outcome],
    summary: summaryOf(checks, outcome),
    counts: {
      ok: count('ok'),
      warning: count('warning'),
      problem: count('problem'),
      skipped: count('skipped'),
    },
    checks,
  };
}

function outcomeOf(checks: readonly CheckResult[]): Outcome {
  const problems = checks.filter(({ verdict }) => verdict === 'problem');
  if (problems.some(({ id }) => REACHING.includes(id))) return 'unreachable';
  if (problems.length > 0) return 'problem';
  return checks.some(wasStopped) ? 'incomplete' : 'well';
}

function wasStopped({ verdict, seen }: CheckResult): boolean {
  return verdict === 'skipped' && seen[0] === STOPPED;
}

function summaryOf(checks: readonly CheckResult[], outcome: Outcome): string {
  const problems = checks.filter(({ verdict }) => verdict === 'problem');
  const warnings = checks.filter(({ verdict }) => verdict === 'warning');
  const first = problems[0] ?? warnings[0];
  const counted = [
    ...(problems.length > 0 ? [plural(problems.length, 'problem')] : []),
    ...(warnings.length > 0 ? [plural(warnings.length, 'warning')] : []),
  ].join(' and ');
  const begin = outcome === 'incomplete' ? 'Ended before all was examined. ' : '';
  if (first === undefined) {
    const passed = checks.filter(({ verdict }) => verdict === 'ok').length;
    const left = checks.filter(({ verdict }) => verdict === 'skipped').length;
    return `${begin}${outcome === 'well' ? 'All is well' : 'Nothing was found so far'}: ${plural(passed, 'check')} passed, ${left} skipped.`;
  }
  return `${begin}${counted}. First "${first.title}": ${first.advice ?? first.seen[0] ?? ''}`;
}

function plural(count: number, noun: string): string {
  return `${count === 1 ? 'One' : count} ${noun}${count === 1 ? '' : 's'}`;
}
