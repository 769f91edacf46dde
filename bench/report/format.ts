import { median, type TargetResult } from '../results.js';

/** A number as people read it: three digits that count. */
export function formatNumber(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1_000_000) return `${(value / 1_000_000).toFixed(2)} M`;
  if (size >= 10_000) return `${(value / 1_000).toFixed(0)} k`;
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The median, and least and most of all runs. */
export function formatRuns(values: readonly number[]): string {
  if (values.length === 0) return '–';
  const middle = formatNumber(median(values));
  if (values.length === 1) return middle;
  return `${middle} (${formatNumber(Math.min(...values))}–${formatNumber(Math.max(...values))})`;
}

export function formatBound(bound: TargetResult['bound']): string {
  return 'atLeast' in bound
    ? `at least ${formatNumber(bound.atLeast)}`
    : `at most ${formatNumber(bound.below)}`;
}
