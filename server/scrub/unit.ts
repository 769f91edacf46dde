import { MOST_BACKSLASHES, MOST_ENCODINGS } from './rules.js';
import { HEX, MORE, NO, type Text } from './text.js';

const PERCENT = 0x25;
const BACKSLASH = 0x5c;
const AMPERSAND = 0x26;
/** A character that is none of ASCII; no rule asks for it. */
const OTHER = 0x100;
const ENTITIES = [
  { name: 'amp;', char: 0x26 },
  { name: 'quot;', char: 0x22 },
  { name: 'apos;', char: 0x27 },
  { name: 'lt;', char: 0x3c },
  { name: 'gt;', char: 0x3e },
].map(({ name, char }) => ({ name: Buffer.from(name), char }));

/** One character of the text, as it is or in any of the ways to write it: `=`, `%3D`, `%253D`, `\u003d`, `\x3d`, `&#61;`. */
export class Unit {
  /** Its code; NO at the end of the text. */
  char = NO;
  /** Where the next one begins. */
  next = 0;
  /** How often it is percent-encoded. */
  depth = 0;
  /** Backslashes before a quote that stands as it is. */
  backslashes = 0;
  /** Whether it is a quote that stands as it is, apart from backslashes. */
  isPlain = true;

  /** Reads what is at `at`; false where more must be seen. */
  read(text: Text, at: number): boolean {
    this.depth = 0;
    this.backslashes = 0;
    this.isPlain = true;
    if (at >= text.end) {
      this.char = NO;
      this.next = at;
      return text.isLast;
    }
    const byte = text.bytes[at] ?? 0;
    this.char = byte;
    this.next = at + 1;
    if (byte === PERCENT) return this.#readPercent(text, at);
    if (byte === BACKSLASH) return this.#readBackslash(text, at);
    if (byte === AMPERSAND) return this.#readEntity(text, at);
    return true;
  }

  #set(char: number, next: number): true {
    this.char = char;
    this.next = next;
    this.isPlain = false;
    return true;
  }

  #readPercent(text: Text, at: number): boolean {
    let digits = at + 1;
    for (let depth = 1; ; depth++) {
      const char = hexAt(text, digits, 2);
      if (char === MORE) return false;
      if (char === NO) {
        // What was read before it is a `%25` by itself.
        if (depth === 1) return true;
        this.depth = depth - 1;
        return this.#set(PERCENT, digits);
      }
      if (char !== PERCENT || depth === MOST_ENCODINGS) {
        this.depth = depth;
        return this.#set(char, digits + 2);
      }
      digits += 2;
    }
  }

  #readBackslash(text: Text, at: number): boolean {
    const { bytes, end } = text;
    let next = at + 1;
    while (next < end && bytes[next] === BACKSLASH && next - at < MOST_BACKSLASHES) next++;
    if (next >= end) return text.isLast;
    switch (bytes[next]) {
      case 0x22: // "
      case 0x27: // '
        this.backslashes = next - at;
        this.char = bytes[next] ?? 0;
        this.next = next + 1;
        return true;
      case 0x2f: // PHP writes "\/".
        return this.#set(0x2f, next + 1);
      case 0x75: // u
        return this.#readHex(text, next + 1, 4);
      case 0x78: // x: nginx and Apache write "\x22".
        return this.#readHex(text, next + 1, 2);
      default:
        return true;
    }
  }

  #readHex(text: Text, at: number, length: number): boolean {
    const char = hexAt(text, at, length);
    if (char === MORE) return false;
    return char === NO ? true : this.#set(char > 0x7f ? OTHER : char, at + length);
  }

  #readEntity(text: Text, at: number): boolean {
    const { bytes, end } = text;
    if (at + 1 >= end) return text.isLast;
    if (bytes[at + 1] === 0x23) return this.#readNumber(text, at + 2);
    for (const { name, char } of ENTITIES) {
      const matched = matchExactly(text, at + 1, name);
      if (matched === MORE) return false;
      if (matched !== NO) return this.#set(char, matched);
    }
    return true;
  }

  /** `&#61;`, `&#x3D;` */
  #readNumber(text: Text, at: number): boolean {
    const { bytes, end } = text;
    const isHex = at < end && ((bytes[at] ?? 0) | 0x20) === 0x78;
    const first = isHex ? at + 1 : at;
    let char = 0;
    let next = first;
    for (; next < end && next - first < 5; next++) {
      const digit = HEX[bytes[next] ?? 0] ?? 255;
      if (digit >= (isHex ? 16 : 10)) break;
      char = char * (isHex ? 16 : 10) + digit;
    }
    if (next >= end) return text.isLast;
    if (next === first || bytes[next] !== 0x3b) return true;
    return this.#set(char > 0x7f ? OTHER : char, next + 1);
  }
}

/** The number that `length` hexadecimal digits at `at` are. */
function hexAt({ bytes, end, isLast }: Text, at: number, length: number): number {
  let value = 0;
  for (let index = at; index < at + length; index++) {
    if (index >= end) return isLast ? NO : MORE;
    const digit = HEX[bytes[index] ?? 0] ?? 255;
    if (digit === 255) return NO;
    value = value * 16 + digit;
  }
  return value;
}

function matchExactly({ bytes, end, isLast }: Text, at: number, wanted: Uint8Array): number {
  for (let index = 0; index < wanted.length; index++) {
    if (at + index >= end) return isLast ? NO : MORE;
    if (bytes[at + index] !== wanted[index]) return NO;
  }
  return at + wanted.length;
}

/** Where the character before `at` begins, if it is `wanted` (a small letter stands for both cases), however it is written. */
export function matchBefore({ bytes, floor }: Text, at: number, wanted: number): number {
  if (at - 1 < floor) return NO;
  if (isSame(bytes[at - 1] ?? 0, wanted)) return at - 1;
  if (at - 3 < floor) return NO;
  const high = HEX[bytes[at - 2] ?? 0] ?? 255;
  const low = HEX[bytes[at - 1] ?? 0] ?? 255;
  if (high === 255 || low === 255 || !isSame(high * 16 + low, wanted)) return NO;
  return encodingBefore(bytes, floor, at - 2);
}

/** Where the encoding begins whose last two digits begin at `digits`. */
function encodingBefore(bytes: Uint8Array, floor: number, digits: number): number {
  let at = digits;
  for (let depth = 1; depth <= MOST_ENCODINGS && at - 1 >= floor; depth++) {
    if (bytes[at - 1] === PERCENT) return at - 1;
    if (at - 2 < floor || bytes[at - 2] !== 0x32 || bytes[at - 1] !== 0x35) break;
    at -= 2;
  }
  const isUnicode =
    digits - 4 >= floor &&
    bytes[digits - 4] === BACKSLASH &&
    bytes[digits - 3] === 0x75 &&
    bytes[digits - 2] === 0x30 &&
    bytes[digits - 1] === 0x30;
  if (!isUnicode) return NO;
  let start = digits - 4;
  while (start > floor && bytes[start - 1] === BACKSLASH && digits - 3 - start < MOST_BACKSLASHES) {
    start--;
  }
  return start;
}

/** The character before `at`, as far as it can be told; NO at the beginning. */
export function charBefore({ bytes, floor }: Text, at: number): number {
  if (at - 1 < floor) return NO;
  const char = bytes[at - 1] ?? 0;
  if (at - 3 < floor) return char;
  const high = HEX[bytes[at - 2] ?? 0] ?? 255;
  const low = HEX[char] ?? 255;
  if (high === 255 || low === 255) return char;
  return encodingBefore(bytes, floor, at - 2) === NO ? char : high * 16 + low;
}

/** `wanted`: a small letter, which stands for the capital too, or no letter. */
export function isSame(char: number, wanted: number): boolean {
  return char === wanted || (wanted >= 0x61 && wanted <= 0x7a && char === wanted - 0x20);
}
