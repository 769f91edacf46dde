import { matchesPattern } from '@sluice/protocol';

/** Patterns of names; `null` stands for all. */
export type Patterns = readonly string[] | null;

/** Which events of a workspace a stream gets: those that it asked for, and may see. */
export interface Filter {
  /** Equal for filters that let the same events through; streams with the same key are moved together. */
  readonly key: string;
  readonly topics: Patterns;
  readonly types: Patterns;
  /** The topics that the permission checker narrowed the principal to. */
  readonly permitted: Patterns;
}

export function createFilter(asked: {
  topics: Patterns;
  types: Patterns;
  permitted: Patterns;
}): Filter {
  const topics = canonical(asked.topics);
  const types = canonical(asked.types);
  const permitted = canonical(asked.permitted);
  return { key: JSON.stringify([topics, types, permitted]), topics, types, permitted };
}

/** Whether no event is held back. */
export function passesAll({ topics, types, permitted }: Filter): boolean {
  return topics === null && types === null && permitted === null;
}

export function passes(filter: Filter, event: { topic: string; type: string }): boolean {
  return (
    passesOne(filter.topics, event.topic) &&
    passesOne(filter.permitted, event.topic) &&
    passesOne(filter.types, event.type)
  );
}

function passesOne(patterns: Patterns, name: string): boolean {
  return patterns === null || patterns.some((pattern) => matchesPattern(pattern, name));
}

function canonical(patterns: Patterns): Patterns {
  if (patterns === null || patterns.includes('*')) return null;
  return [...new Set(patterns)].sort();
}
