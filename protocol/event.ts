import { hasControlCharacter } from './frame.js';
import { isName, MAX_NAME_LENGTH } from './topic.js';

/**
 * An event: a CloudEvents 1.0 JSON object with the extension attribute `topic`.
 * Further extension attributes (lower-case letters and digits) are kept as they came.
 */
export interface RealtimeEvent<Data = unknown> {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** RFC 3339. */
  readonly time: string;
  readonly topic: string;
  readonly subject?: string;
  readonly data?: Data;
  readonly [extension: string]: unknown;
}

/** What an event gets where its publisher left it open. */
export interface EventDefaults {
  readonly id: () => string;
  readonly source: string;
  readonly time: () => string;
}

/** An event, or the first thing that is wrong with it. */
export type EventReading = { readonly event: RealtimeEvent } | { readonly fault: string };

/** Deepest nesting of an event's `data`. Far deeper values overflow the stack of whoever writes them as JSON. */
export const MAX_DATA_DEPTH = 64;

const RFC_3339 =
  /^(\d{4})-(0[1-9]|1[0-2])-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;
const BASE64 = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
// CloudEvents 1.0, section 3.1: names of attributes are lower-case letters and digits; 20 characters are advised.
const ATTRIBUTE = /^[a-z0-9]{1,20}$/;
const DAYS_OF_MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const TEXT_MEMBERS = ['id', 'source', 'subject', 'dataschema', 'datacontenttype'] as const;
/** Members of which nothing is left to say when all are looked at alike. */
const CHECKED_MEMBERS: ReadonlySet<string> = new Set([
  ...['specversion', 'type', 'topic', 'time', 'data'],
  ...TEXT_MEMBERS,
]);

/** Reads the short form: `topic`, `type` and `data`; `id`, `time`, `subject` and extensions may be given. */
export function readShortEvent(value: unknown, defaults: EventDefaults): EventReading {
  if (!isObject(value)) return { fault: 'is not a JSON object' };
  const given = withoutUnset(value);
  return readMembers({
    specversion: '1.0',
    source: defaults.source,
    ...given,
    id: given['id'] ?? defaults.id(),
    time: given['time'] ?? defaults.time(),
  });
}

/** Reads a CloudEvents JSON object (CloudEvents JSON format 1.0), in which `topic` must be given. */
export function readCloudEvent(value: unknown, defaults: EventDefaults): EventReading {
  if (!isObject(value)) return { fault: 'is not a JSON object' };
  const given = withoutUnset(value);
  for (const member of ['specversion', 'id', 'source'] as const) {
    if (given[member] === undefined) return { fault: `has no "${member}"` };
  }
  return readMembers({ ...given, time: given['time'] ?? defaults.time() });
}

// CloudEvents JSON format 1.0, section 2.2: "When decoding attributes and a null value is encountered, it MUST be
// treated as the equivalent of unset or omitted."
function withoutUnset(members: Record<string, unknown>): Record<string, unknown> {
  const isSet = (name: string) =>
    members[name] !== undefined && (members[name] !== null || name === 'data');
  const names = Object.keys(members);
  // Most events have nothing unset, and this is the quickest way to copy what is an object's own.
  if (names.every(isSet)) return { ...members };
  return Object.fromEntries(names.filter(isSet).map((name) => [name, members[name]]));
}

function readMembers(members: Record<string, unknown>): EventReading {
  const fault =
    (members['specversion'] !== '1.0' && '"specversion" is not "1.0"') ||
    nameFault('type', members['type']) ||
    nameFault('topic', members['topic']) ||
    textFaultIn(members) ||
    timeFault(members['time']) ||
    (members['data'] !== undefined &&
      members['data_base64'] !== undefined &&
      'has both "data" and "data_base64"') ||
    dataFault(members['data']) ||
    attributeFaultIn(members);
  return fault ? { fault } : { event: members as unknown as RealtimeEvent };
}

function nameFault(member: string, value: unknown): string | false {
  if (value === undefined) return `has no "${member}"`;
  if (typeof value === 'string' && isName(value)) return false;
  return `"${member}" is not a name: 1 to ${MAX_NAME_LENGTH} characters without white space, control characters, "*" and ","`;
}

function textFaultIn(members: Record<string, unknown>): string | false {
  for (const member of TEXT_MEMBERS) {
    const fault = textFault(member, members[member]);
    if (fault) return fault;
  }
  return false;
}

function textFault(member: string, value: unknown): string | false {
  if (value === undefined) return false;
  if (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MAX_NAME_LENGTH &&
    !hasControlCharacter(value)
  ) {
    return false;
  }
  return `"${member}" is not a text of 1 to ${MAX_NAME_LENGTH} characters without control characters`;
}

function timeFault(value: unknown): string | false {
  const [, year, month, day] = (typeof value === 'string' && RFC_3339.exec(value)) || [];
  const isTime = day !== undefined && isDay(Number(year), Number(month), Number(day));
  return !isTime && '"time" is not an RFC 3339 time';
}

/** A table, since to make a `Date` of each event's time costs more than the rest of the check. */
function isDay(year: number, month: number, day: number): boolean {
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = isLeapYear && month === 2 ? 29 : (DAYS_OF_MONTHS[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

function dataFault(data: unknown, depth = 0): string | false {
  if (typeof data !== 'object' || data === null) return false;
  if (depth === MAX_DATA_DEPTH) return `"data" is nested deeper than ${MAX_DATA_DEPTH} levels`;
  // As a member of JSON it is harmless; merged into an object by a careless reader it is not.
  if (Object.hasOwn(data, '__proto__')) return '"data" has a member "__proto__"';
  for (const member of Object.values(data)) {
    const fault = dataFault(member, depth + 1);
    if (fault) return fault;
  }
  return false;
}

function attributeFaultIn(members: Record<string, unknown>): string | false {
  for (const name of Object.keys(members)) {
    const fault = !CHECKED_MEMBERS.has(name) && attributeFault(name, members[name]);
    if (fault) return fault;
  }
  return false;
}

function attributeFault(name: string, value: unknown): string | false {
  if (name === 'data_base64') {
    return !(typeof value === 'string' && BASE64.test(value)) && '"data_base64" is not base64';
  }
  if (!ATTRIBUTE.test(name)) {
    return 'has a member that is not a CloudEvents attribute (lower-case letters and digits, at most 20)';
  }
  const isAttributeValue = ['string', 'boolean'].includes(typeof value) || Number.isInteger(value);
  return !isAttributeValue && `"${name}" is not a text, a whole number or a boolean`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
