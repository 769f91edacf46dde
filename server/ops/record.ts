// What makes a record of a log harmless, whatever is in it: its texts and lists have bounds, and its line is one line to every
// reader. Log and audit log share it.

const MAX_TEXT_LENGTH = 512;
const MAX_ITEMS = 100;
const MAX_DEPTH = 5;
/** Not escaped by JSON; some readers take them for the end of a line, terminals act upon them, UTF-8 has none of half. */
const UNSEEN = /[\u007f-\u009f\u2028\u2029]|\p{Bidi_Control}|\p{Surrogate}/gu;

const PLAIN = /^[\x20-\x7e]*\n?$/;
/** Stream tokens and client secrets are well-formed names of topics, subjects and tokens: whoever mistakes one is not to be read. */
const OWN_SECRET = /(?:sst|scs)_[A-Za-z0-9_-]{30,}/g;
const SHORTEST_SECRET = 34;

/** What is left of the characters that one record may have. */
interface Room {
  characters: number;
}

/**
 * The same with bounds: long texts and lists are cut, and say so.
 * @param maxCharacters of all texts and names together
 */
export function boundedRecord(record: object, maxCharacters: number): object {
  const room = { characters: maxCharacters };
  return boundedMembers(record, room, 1);
}

/** A line of JSON as every reader takes it for one line, and no terminal for a command. */
export function plainLine(line: string): string {
  // Nearly every line is, and this is the quicker question.
  return PLAIN.test(line) ? line : line.replace(UNSEEN, escapeCharacter);
}

/** @returns `undefined` for what JSON has no form of. */
function bounded(value: unknown, room: Room, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return boundedText(value, room);
    case 'number':
    case 'boolean':
      return value;
    case 'bigint':
      return String(value);
    case 'object':
      if (value === null) return null;
      if (depth > MAX_DEPTH) return '…';
      return Array.isArray(value)
        ? boundedItems(value, room, depth)
        : boundedMembers(value, room, depth);
    default:
      return undefined;
  }
}

function boundedText(text: string, room: Room): string {
  const length = Math.min(MAX_TEXT_LENGTH, room.characters);
  room.characters -= Math.min(text.length, length);
  // Most texts are too short to hold one.
  if (text.length <= length && text.length < SHORTEST_SECRET) return text;
  // Cut first, so that what is looked through has a bound.
  return (text.length <= length ? text : `${text.slice(0, length)}…`).replace(OWN_SECRET, '…');
}

function boundedItems(items: readonly unknown[], room: Room, depth: number): unknown[] {
  const kept = items.slice(0, MAX_ITEMS).map((item) => bounded(item, room, depth + 1));
  const more = items.length - kept.length;
  return more === 0 ? kept : [...kept, `… and ${more} more`];
}

function boundedMembers(record: object, room: Room, depth: number): object {
  const kept: Record<string, unknown> = {};
  let members = 0;
  for (const name in record) {
    if (!Object.hasOwn(record, name)) continue;
    if (++members > MAX_ITEMS) {
      kept['…'] = 'and more';
      break;
    }
    // `__proto__` would be taken for the object's own prototype.
    const value = bounded((record as Record<string, unknown>)[name], room, depth + 1);
    if (value !== undefined && name !== '__proto__') kept[boundedText(name, room)] = value;
  }
  return kept;
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
