import { type JsonFault, parseJson } from '../json.js';
import type { SettingReader } from './setting-reader.js';
import { SETTINGS } from './settings.js';

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

/** Members of an entry of RETENTION_FILE, each with the setting whose bounds it has. */
const MEMBERS = {
  seconds: { name: 'maxAgeSeconds', setting: SETTINGS.RETENTION_SECONDS },
  events: { name: 'maxEvents', setting: SETTINGS.RETENTION_EVENTS },
  bytes: { name: 'maxBytes', setting: SETTINGS.RETENTION_BYTES },
} as const;
const MAX_ENTRIES = 1_000;
/** More than any file needs, so that what is nested is told by its name. */
const MAX_DEPTH = 16;

export function readRetention(read: SettingReader): RetentionRules {
  const general: Retention = {
    maxAgeSeconds: read.value(SETTINGS.RETENTION_SECONDS),
    maxEvents: read.value(SETTINGS.RETENTION_EVENTS),
    maxBytes: read.value(SETTINGS.RETENTION_BYTES),
  };
  const text = read.file(SETTINGS.RETENTION_FILE);
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
  const rules = entries.map(([pattern, members]) => ({
    pattern,
    retention: readEntry(read, pattern, members, general),
  }));
  // JSON leaves the order of members open, and JavaScript puts numbers first; so names stand before patterns everywhere.
  const isName = ({ pattern }: { pattern: string }) => !pattern.includes('*');
  return [...rules.filter(isName), ...rules.filter((rule) => !isName(rule))];
}

function parse(read: SettingReader, text: string): unknown {
  try {
    return parseJson(Buffer.from(text), { maxDepth: MAX_DEPTH });
  } catch (error) {
    read.refuse(`RETENTION_FILE ${(error as JsonFault).message}`);
    return undefined;
  }
}

function readEntry(
  read: SettingReader,
  pattern: string,
  members: unknown,
  general: Retention,
): Retention {
  if (pattern.length > 64 || !/^(?=.)[\w-]*\*?[\w-]*$/.test(pattern)) {
    // Its place cannot be told: JavaScript does not keep the order of names that are numbers.
    read.refuse(
      `RETENTION_FILE: ${quoted(pattern)} is no name of a workspace, nor one with one * in it`,
    );
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
      read.refuse(`${where}: ${quoted(member)} is none of its members, seconds, events and bytes`);
      continue;
    }
    const { name, setting } = MEMBERS[member as keyof typeof MEMBERS];
    const { least, most } = setting;
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) {
      retention[name] = Number(value);
    } else {
      read.refuse(`${where}: ${member} must be a whole number from ${least} to ${most}`);
    }
  }
  return retention;
}

/** A name out of the file, as JSON has it: nothing in it steers a terminal. */
function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 64)).replace(/[^\x20-\x7e]/g, '?');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
