import { type JsonFault, parseJson } from '../json.js';
import type { SettingReader } from './setting-reader.js';

/** How long a workspace's history is kept; whichever bound is reached first trims the oldest events. */
export interface Retention {
  readonly maxAgeSeconds: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** The retention of each workspace. */
export interface RetentionRules {
  readonly default: Retention;
  /** Names and patterns with one `*`; the first that stands for a workspace counts. */
  readonly workspaces: readonly { readonly pattern: string; readonly retention: Retention }[];
}

type Bound = readonly [least: number, most: number];
const SECONDS: Bound = [1, 31_536_000];
const EVENTS: Bound = [1, 100_000_000];
const BYTES: Bound = [65_536, 1_099_511_627_776];
/** Members of an entry of RETENTION_FILE. */
const MEMBERS = {
  seconds: { name: 'maxAgeSeconds', bound: SECONDS },
  events: { name: 'maxEvents', bound: EVENTS },
  bytes: { name: 'maxBytes', bound: BYTES },
} as const;
const MAX_ENTRIES = 1_000;

export function readRetention(read: SettingReader): RetentionRules {
  const general: Retention = {
    maxAgeSeconds: read.integer('RETENTION_SECONDS', 86_400, ...SECONDS),
    maxEvents: read.integer('RETENTION_EVENTS', 100_000, ...EVENTS),
    maxBytes: read.integer('RETENTION_BYTES', 268_435_456, ...BYTES),
  };
  const text = read.file('RETENTION_FILE');
  return { default: general, workspaces: text === null ? [] : readEntries(read, text, general) };
}

/** RETENTION_FILE: `{"acme": {"seconds": 3600}, "audit-*": {"seconds": 2592000, "events": 1000000}}` */
function readEntries(
  read: SettingReader,
  text: string,
  general: Retention,
): RetentionRules['workspaces'] {
  const value = parse(read, text);
  if (value === undefined) return [];
  if (!isObject(value)) {
    read.refuse('RETENTION_FILE is not a JSON object with an entry for each workspace or pattern');
    return [];
  }
  const entries = Object.entries(value);
  if (entries.length > MAX_ENTRIES) {
    read.refuse(`RETENTION_FILE holds more than ${MAX_ENTRIES} entries`);
    return [];
  }
  const rules = entries.map(([pattern, members], index) => ({
    pattern,
    retention: readEntry(read, `entry ${index + 1}`, pattern, members, general),
  }));
  // JSON leaves the order of members open, and JavaScript puts numbers first; so names stand before patterns everywhere.
  const isName = ({ pattern }: { pattern: string }) => !pattern.includes('*');
  return [...rules.filter(isName), ...rules.filter((rule) => !isName(rule))];
}

function parse(read: SettingReader, text: string): unknown {
  try {
    return parseJson(Buffer.from(text), { maxDepth: 2 });
  } catch (error) {
    read.refuse(`RETENTION_FILE ${(error as JsonFault).message}`);
    return undefined;
  }
}

function readEntry(
  read: SettingReader,
  entry: string,
  pattern: string,
  members: unknown,
  general: Retention,
): Retention {
  if (pattern.length > 64 || !/^(?=.)[\w-]*\*?[\w-]*$/.test(pattern)) {
    read.refuse(`RETENTION_FILE: ${entry} is not named like a workspace, or with one * in it`);
    return general;
  }
  const where = `RETENTION_FILE: ${pattern}`;
  if (!isObject(members)) {
    read.refuse(`${where} is not an object of seconds, events and bytes`);
    return general;
  }
  const retention = { ...general };
  for (const [member, value] of Object.entries(members)) {
    if (!Object.hasOwn(MEMBERS, member)) {
      read.refuse(`${where} may have the members seconds, events and bytes alone`);
      continue;
    }
    const { name, bound } = MEMBERS[member as keyof typeof MEMBERS];
    const [least, most] = bound;
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) {
      retention[name] = Number(value);
    } else {
      read.refuse(`${where}: ${member} must be a whole number from ${least} to ${most}`);
    }
  }
  return retention;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
