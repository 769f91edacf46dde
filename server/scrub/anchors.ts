import { codeOf, tableOf } from './text.js';

/** Each finding has one of these bytes at a place by which its rule is known. */
const ANCHORS = 'kKzZcCbBJ_%\\';
const IS_ANCHOR = tableOf((char) => ANCHORS.includes(char));

interface Surroundings {
  /** The byte before the anchor, and the one before that. */
  readonly before?: string;
  readonly beforeThat?: string;
  readonly after?: string;
  readonly afterThat?: string;
}

/**
 * What may stand beside an anchor for it to matter; all bytes where nothing is said. A letter that is encoded ends with the last
 * digit of its code: the `o` before the `k` of `token` with `f`, after a 4 or a 6.
 */
const BESIDE: Readonly<Record<string, Surroundings>> = {
  k: { before: 'oOfF', beforeThat: 'tT46', after: 'eE%\\&' },
  z: { before: 'iI9', beforeThat: 'rR246', after: 'aA%\\&' },
  c: { before: 'eE5', beforeThat: 'sS346', after: 'rR%\\&' },
  b: { after: 'eEaA', afterThat: 'aAsS' },
  J: { before: 'y', beforeThat: 'e' },
  _: { before: 'ts', beforeThat: 'sc' },
  // Of the codes of k, z and c, and of what is encoded once more.
  '%': { after: '24567', afterThat: '53bBaA' },
  '\\': { after: 'ux\\' },
};

/** For each byte the kinds of anchors, one bit for each, that it is or may stand beside. */
const IS = new Uint8Array(256);
const BEFORE = new Uint8Array(256);
const BEFORE_THAT = new Uint8Array(256);
const AFTER = new Uint8Array(256);
const AFTER_THAT = new Uint8Array(256);
fillKinds();

function fillKinds(): void {
  for (const [index, [anchor, beside]] of Object.entries(BESIDE).entries()) {
    const add = (table: Uint8Array, chars?: string) => {
      for (let code = 0; code < 256; code++) {
        if (chars === undefined || chars.includes(String.fromCharCode(code))) {
          table[code] = (table[code] ?? 0) | (1 << index);
        }
      }
    };
    const cases = ANCHORS.includes(anchor.toUpperCase()) ? anchor + anchor.toUpperCase() : anchor;
    add(IS, cases);
    add(BEFORE, beside.before);
    add(BEFORE_THAT, beside.beforeThat);
    add(AFTER, beside.after);
    add(AFTER_THAT, beside.afterThat);
  }
}

/** Whether an anchor stands at `at`, by what stands around it as far as that is there. */
function isAnchor(bytes: Uint8Array, at: number, end: number): boolean {
  let kinds = IS[bytes[at] as number] as number;
  if (kinds === 0) return false;
  if (at > 0) kinds &= BEFORE[bytes[at - 1] as number] as number;
  if (at > 1) kinds &= BEFORE_THAT[bytes[at - 2] as number] as number;
  if (at + 1 < end) kinds &= AFTER[bytes[at + 1] as number] as number;
  if (at + 2 < end) kinds &= AFTER_THAT[bytes[at + 2] as number] as number;
  return kinds !== 0;
}

/** For each two bytes, in this machine's order, whether one of them may be an anchor that matters. */
const PAIRS = new Uint8Array(65_536);
fillPairs();

function fillPairs(): void {
  const pair = new Uint16Array(1);
  const bytes = new Uint8Array(pair.buffer);
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      bytes[0] = first;
      bytes[1] = second;
      const matters = mattersBefore(first, second) || mattersAfter(first, second);
      PAIRS[pair[0] ?? 0] = matters ? 1 : 0;
    }
  }
}

function mattersBefore(anchor: number, byte: number): boolean {
  if (IS_ANCHOR[anchor] === 0) return false;
  return besideOf(anchor)?.after?.includes(String.fromCharCode(byte)) ?? true;
}

function mattersAfter(byte: number, anchor: number): boolean {
  if (IS_ANCHOR[anchor] === 0) return false;
  return besideOf(anchor)?.before?.includes(String.fromCharCode(byte)) ?? true;
}

function besideOf(anchor: number) {
  const char = String.fromCharCode(anchor);
  return BESIDE[char] ?? BESIDE[char.toLowerCase()];
}

/** The next anchor from `at` on; `end` if there is none. `pairs` are the same bytes, two by two. */
export function findAnchor(bytes: Uint8Array, pairs: Uint16Array, at: number, end: number): number {
  let next = at;
  if ((next & 1) === 1 && next < end) {
    if (isAnchor(bytes, next, end)) return next;
    next++;
  }
  const whole = end >> 1;
  let pair = next >> 1;
  const fours = whole - 3;
  for (;;) {
    // Four at once, since most of a log is none of these.
    while (pair < fours && fourMatter(pairs, pair) === 0) pair += 4;
    while (pair < whole && PAIRS[pairs[pair] as number] === 0) pair++;
    if (pair >= whole) break;
    const first = pair << 1;
    if (isAnchor(bytes, first, end)) return first;
    if (isAnchor(bytes, first + 1, end)) return first + 1;
    pair++;
  }
  const last = Math.max(next, whole << 1);
  return last < end && isAnchor(bytes, last, end) ? last : end;
}

function fourMatter(pairs: Uint16Array, at: number): number {
  return (
    (PAIRS[pairs[at] as number] as number) |
    (PAIRS[pairs[at + 1] as number] as number) |
    (PAIRS[pairs[at + 2] as number] as number) |
    (PAIRS[pairs[at + 3] as number] as number)
  );
}

/** Whether a text that ends with this byte may have been cut within the beginning of a secret that is part of it. */
export const BEGINS_SECRET = new Uint8Array(256);
for (const char of 'eystc') BEGINS_SECRET[codeOf(char)] = 1;
