import type { LogEntry } from '../log/event-log.js';
import { passes } from './filter.js';
import type { Group } from './group.js';

/**
 * Finds the groups that an event concerns without looking at the others: exact topics by map, patterns by their
 * literal beginning. A topic has at most as many beginnings as patterns have different lengths of them, so a look-up
 * does not grow with the number of groups that name topics.
 */
export class GroupIndex {
  private readonly byTopic = new Map<string, Set<Group>>();
  private readonly byPrefix = new Map<string, Set<Group>>();
  /** How many prefixes of each length there are. */
  private readonly prefixLengths = new Map<number, number>();

  add(group: Group): void {
    for (const pattern of patternsOf(group)) {
      const prefix = literalPrefix(pattern);
      if (prefix === null) {
        addTo(this.byTopic, pattern, group);
      } else if (addTo(this.byPrefix, prefix, group)) {
        this.prefixLengths.set(prefix.length, (this.prefixLengths.get(prefix.length) ?? 0) + 1);
      }
    }
  }

  remove(group: Group): void {
    for (const pattern of patternsOf(group)) {
      const prefix = literalPrefix(pattern);
      if (prefix === null) {
        removeFrom(this.byTopic, pattern, group);
      } else if (removeFrom(this.byPrefix, prefix, group)) {
        const left = (this.prefixLengths.get(prefix.length) ?? 0) - 1;
        if (left > 0) this.prefixLengths.set(prefix.length, left);
        else this.prefixLengths.delete(prefix.length);
      }
    }
  }

  /** The groups whose filter lets the event through, each once. */
  find(event: LogEntry): Set<Group> {
    const found = new Set<Group>();
    const collect = (candidates: Iterable<Group> | undefined) => {
      for (const group of candidates ?? []) {
        if (!found.has(group) && passes(group.filter, event)) found.add(group);
      }
    };
    collect(this.byTopic.get(event.topic));
    for (const length of this.prefixLengths.keys()) {
      if (length <= event.topic.length) collect(this.byPrefix.get(event.topic.slice(0, length)));
    }
    return found;
  }
}

/** What a group is found by; a group without patterns is found by every topic, which all begin with nothing. */
function patternsOf(group: Group): readonly string[] {
  return group.filter.topics ?? group.filter.permitted ?? ['*'];
}

/** What stands before the first star; `null` if there is no star. */
function literalPrefix(pattern: string): string | null {
  const star = pattern.indexOf('*');
  return star < 0 ? null : pattern.slice(0, star);
}

/** Says whether `key` is new. */
function addTo(map: Map<string, Set<Group>>, key: string, group: Group): boolean {
  const groups = map.get(key);
  if (groups !== undefined) {
    groups.add(group);
    return false;
  }
  map.set(key, new Set([group]));
  return true;
}

/** Says whether `key` is gone. */
function removeFrom(map: Map<string, Set<Group>>, key: string, group: Group): boolean {
  const groups = map.get(key);
  groups?.delete(group);
  return groups?.size === 0 && map.delete(key);
}
