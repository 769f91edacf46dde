import { MAX_PATTERNS } from '@sluice/protocol';
import type { LogEntry } from '../log/event-log.js';
import { type Filter, type Patterns, passes } from './filter.js';
import type { Group } from './group.js';
import { PatternMap } from './pattern-map.js';

/** By what a group is found that asks for everything. */
const ANY = ['*'];

/** The groups that are found by one topic pattern. */
interface Bucket {
  readonly ofAnyType: Set<Group>;
  /** `null` where nobody asks for types, as most do not. */
  byType: PatternMap<Set<Group>> | null;
}

/** Finds the groups that an event concerns without looking at the others: by its topic, and among those by its type. */
export class GroupIndex {
  private readonly byTopic = new PatternMap<Bucket>();

  /** How many topic patterns there are. */
  get size(): number {
    return this.byTopic.size;
  }

  add(group: Group): void {
    const { topics, types } = placesOf(group.filter);
    for (const topic of topics) {
      const bucket = this.bucketOf(topic);
      for (const type of types) groupsOf(bucket, type).add(group);
    }
  }

  remove(group: Group): void {
    const { topics, types } = placesOf(group.filter);
    for (const topic of topics) {
      const bucket = this.bucketOf(topic);
      for (const type of types) removeFrom(bucket, type, group);
      if (bucket.ofAnyType.size === 0 && bucket.byType === null) this.byTopic.delete(topic);
    }
  }

  /** The groups whose filter lets the event through, each once. */
  find(event: LogEntry): Set<Group> {
    const found = new Set<Group>();
    const collect = (groups: Set<Group>) => {
      for (const group of groups) {
        if (!found.has(group) && passes(group.filter, event)) found.add(group);
      }
    };
    this.byTopic.visit(event.topic, ({ ofAnyType, byType }) => {
      collect(ofAnyType);
      byType?.visit(event.type, collect);
    });
    return found;
  }

  private bucketOf(topic: string): Bucket {
    let bucket = this.byTopic.get(topic);
    if (bucket === undefined) {
      bucket = { ofAnyType: new Set(), byType: null };
      this.byTopic.add(topic, bucket);
    }
    return bucket;
  }
}

function groupsOf(bucket: Bucket, type: string): Set<Group> {
  if (type === '*') return bucket.ofAnyType;
  bucket.byType ??= new PatternMap();
  let groups = bucket.byType.get(type);
  if (groups === undefined) {
    groups = new Set();
    bucket.byType.add(type, groups);
  }
  return groups;
}

function removeFrom(bucket: Bucket, type: string, group: Group): void {
  const groups = groupsOf(bucket, type);
  groups.delete(group);
  if (type === '*' || groups.size > 0) return;
  bucket.byType?.delete(type);
  if (bucket.byType?.size === 0) bucket.byType = null;
}

/** What a group is found by. No more places than there may be patterns: those of both kinds multiply. */
function placesOf({ topics, permitted, types }: Filter) {
  const byTopic = narrower(topics, permitted) ?? ANY;
  const byType = types !== null && byTopic.length * types.length <= MAX_PATTERNS ? types : ANY;
  return { topics: byTopic, types: byType };
}

/** An event must pass both; many may ask for the same, and each be narrowed to what is its own. */
function narrower(topics: Patterns, permitted: Patterns): Patterns {
  if (topics === null || permitted === null) return topics ?? permitted;
  return plainness(permitted) > plainness(topics) ? permitted : topics;
}

/** How many characters the vaguest of them names; a pattern without a star leaves none open. */
function plainness(patterns: readonly string[]): number {
  const named = patterns.map((pattern) =>
    pattern.includes('*') ? pattern.length - 1 : Number.POSITIVE_INFINITY,
  );
  return Math.min(...named);
}
