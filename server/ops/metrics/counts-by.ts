import type { Labelled } from './metric-set.js';

/** A count for each name, 0 where nothing was counted yet: what begins at 1 shows no increase. */
export function* countsBy(
  label: string,
  names: readonly string[],
  counts: ReadonlyMap<string, number>,
): Iterable<Labelled<number>> {
  for (const name of new Set([...names, ...counts.keys()])) {
    yield [{ [label]: name }, counts.get(name) ?? 0];
  }
}
