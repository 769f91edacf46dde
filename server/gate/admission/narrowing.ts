import { matchesPattern, patternsOverlap } from '@sluice/protocol';

/** Patterns of topics; `null` stands for all. */
type Patterns = readonly string[] | null;

/**
 * Whether somebody who asked for topics, and was permitted some, may now see less of what they asked for. Where only
 * several patterns together still cover an earlier one, it counts as less: nothing is lost by asking anew.
 */
export function isNarrower(asked: Patterns, before: Patterns, now: Patterns): boolean {
  if (now === null) return false;
  const lost = (before ?? ['*']).filter((pattern) => !isCovered(pattern, now));
  if (lost.length === 0) return false;
  return (asked ?? ['*']).some(
    (topic) => !isCovered(topic, now) && lost.some((pattern) => patternsOverlap(pattern, topic)),
  );
}

/** Whether one of the patterns stands for everything that this one stands for. */
function isCovered(pattern: string, by: readonly string[]): boolean {
  // Read as a name, a star is a character that only another star stands for.
  return by.some((wider) => matchesPattern(wider, pattern));
}
