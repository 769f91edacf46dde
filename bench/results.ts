import type { Figure, Medians, Reading, Target } from './figure.js';

/** What the runs of a subject gave: for each value one number a run. */
export interface SubjectResult {
  readonly subject: string;
  readonly values: Readonly<Record<string, readonly number[]>>;
}

export interface TargetResult {
  readonly says: string;
  readonly bound: Target['bound'];
  readonly value: number;
  readonly isReached: boolean;
}

export interface FigureResult {
  readonly name: string;
  readonly title: string;
  readonly method: string;
  /** When it was measured, by the calendar. */
  readonly measuredOn: string;
  readonly units: Readonly<Record<string, string>>;
  readonly subjects: readonly SubjectResult[];
  readonly targets: readonly TargetResult[];
}

/** Runs all subjects of a figure in turn, so many times: what else the machine does falls on all of them. */
export async function runFigure(
  figure: Figure,
  runs: number,
  onRun: (subject: string, reading: Reading) => void,
): Promise<FigureResult> {
  const readings = new Map<string, Reading[]>(figure.subjects.map(({ name }) => [name, []]));
  for (let run = 0; run < runs; run++) {
    for (const { name, measure } of figure.subjects) {
      const reading = await measure();
      readings.get(name)?.push(reading);
      onRun(name, reading);
    }
  }
  const { name, title, method, units } = figure;
  const subjects = [...readings].map(([subject, list]) => ({ subject, values: byValue(list) }));
  const targets = figure.targets.map((target) => judge(target, mediansOf(subjects)));
  const measuredOn = new Date().toISOString().slice(0, 10);
  return { name, title, method, measuredOn, units, subjects, targets };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('nothing was measured');
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

function byValue(readings: readonly Reading[]): SubjectResult['values'] {
  const names = [...new Set(readings.flatMap((reading) => Object.keys(reading)))];
  return Object.fromEntries(
    names.map((name) => [name, readings.flatMap((reading) => reading[name] ?? [])]),
  );
}

function mediansOf(subjects: readonly SubjectResult[]): Medians {
  return (name, value) => {
    const values = subjects.find(({ subject }) => subject === name)?.values[value];
    if (values === undefined) throw new Error(`"${value}" of "${name}" was not measured`);
    return median(values);
  };
}

function judge({ says, bound, value }: Target, medians: Medians): TargetResult {
  const reached = value(medians);
  const isReached = 'atLeast' in bound ? reached >= bound.atLeast : reached <= bound.below;
  return { says, bound, value: reached, isReached };
}
