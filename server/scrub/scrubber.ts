import { BEGINS_SECRET, findAnchor } from './anchors.js';
import { Matcher } from './matcher.js';
import { MARK } from './rules.js';
import { SecretEnd } from './secret-value.js';
import { MORE, type Text } from './text.js';

/** How far a rule may look back; the longest name, written in the longest way, has some 280 bytes. */
const LOOK_BACK = 512;
/** Room for what a part leaves behind for the next one. */
const LEAST_WORK_BYTES = 32 * 1024;
/** A mark may be longer than what it stands for; the names before it are longer than that. */
const MOST_GROWTH = 4;
const LINE_FEED = 10;
const MARK_BYTES = Buffer.from(MARK);
const EMPTY = Buffer.alloc(0);

/** Where a secret begins. */
export interface SecretPlace {
  /** In bytes from the beginning of the text. */
  readonly offset: number;
  /** The first one is 1. */
  readonly line: number;
  /** In bytes; the first one is 1. */
  readonly column: number;
}

export interface ScrubberOptions {
  /** Told of each secret. A mark that stands there already is none. */
  readonly onFinding?: (place: SecretPlace) => void;
  /** Whether lines are counted, which takes time; line and column are 0 otherwise. */
  readonly countsLines?: boolean;
  /** Whether nothing but the findings is asked for: no text is given back then. */
  readonly isCheck?: boolean;
}

/**
 * Takes the secrets out of a text that comes in parts, however it is cut. Holds some kilobytes of it at most, however long its lines
 * and its secrets are: the mark is written where a secret begins, and the secret is not kept.
 */
export class Scrubber {
  readonly #text: Text = { bytes: EMPTY, floor: 0, end: 0, isLast: false };
  readonly #matcher = new Matcher(this.#text);
  readonly #secretEnd = new SecretEnd();
  readonly #onFinding: (place: SecretPlace) => void;
  readonly #countsLines: boolean;
  readonly #isCheck: boolean;
  #lines = 0;
  #lineOffset = 0;
  /** The text is at its beginning, and what is given back behind it: to copy within one buffer costs the least. */
  #memory = EMPTY;
  /** The same memory, two bytes at once. */
  #pairs = new Uint16Array(0);
  /** Where what is given back begins, and ends up to now. */
  #outFrom = 0;
  #outTo = 0;
  /** Lines are counted up to here. */
  #counted = 0;
  /** Looked at up to here. */
  #at = 0;
  /** Written up to here. */
  #written = 0;
  /** Where the work buffer begins in the whole text. */
  #offset = 0;
  #isInSecret = false;
  #isAfterItem = false;
  /** Of the secret that it is in. */
  #secretLength = 0;
  #looksLikeMark = false;
  #place: SecretPlace = { offset: 0, line: 0, column: 0 };

  constructor({
    onFinding = () => {},
    countsLines = false,
    isCheck = false,
  }: ScrubberOptions = {}) {
    this.#onFinding = onFinding;
    this.#countsLines = countsLines;
    this.#isCheck = isCheck;
  }

  /** Bytes that were held back or looked at again, for the tests. */
  get held(): number {
    return this.#text.end - this.#written;
  }
  get rechecked(): number {
    return this.#matcher.work;
  }

  /** What can be told of the text so far. It stands in memory of the scrubber's, until the next call. */
  push(part: Uint8Array): Uint8Array {
    return this.#process(part, false);
  }

  /** The rest. */
  end(): Uint8Array {
    return this.#process(EMPTY, true);
  }

  #process(part: Uint8Array, isLast: boolean): Uint8Array {
    this.#take(part, isLast);
    this.#outTo = this.#outFrom;
    this.#scan();
    this.#write(this.#isInSecret ? this.#at : this.#undecided());
    return this.#memory.subarray(this.#outFrom, this.#outTo);
  }

  /** Puts the part behind what is held of the text before. */
  #take(part: Uint8Array, isLast: boolean): void {
    const text = this.#text;
    const from = Math.min(this.#written, Math.max(text.floor, this.#at - LOOK_BACK));
    const kept = text.end - from;
    if (this.#countsLines) this.#countLines(this.#written);
    if (this.#outFrom < kept + part.length) this.#grow(kept + part.length, from);
    else this.#memory.copyWithin(0, from, text.end);
    this.#memory.set(part, kept);
    text.end = kept + part.length;
    text.floor = Math.max(0, text.floor - from);
    text.isLast = isLast;
    this.#counted -= from;
    this.#at -= from;
    this.#written -= from;
    this.#offset += from;
    this.#matcher.move(from);
  }

  /** Makes room for so many bytes, and keeps those of the text from `from` on. */
  #grow(length: number, from: number): void {
    const room = (length + LEAST_WORK_BYTES + 1) & ~1;
    const out = this.#isCheck ? 0 : room * MOST_GROWTH + 2 * MARK_BYTES.length;
    const larger = Buffer.allocUnsafeSlow(room + out);
    this.#memory.copy(larger, 0, from, this.#text.end);
    this.#memory = larger;
    this.#pairs = new Uint16Array(larger.buffer, larger.byteOffset, larger.length >> 1);
    this.#text.bytes = larger;
    this.#outFrom = room;
  }

  #scan(): void {
    const { bytes, end } = this.#text;
    const matcher = this.#matcher;
    for (let at = this.#at; ; ) {
      if (this.#isInSecret) {
        at = this.#skipSecret(at);
        if (this.#isInSecret) break;
      }
      let matched: number;
      if (this.#isAfterItem) {
        matched = matcher.matchNextItem(at);
        this.#isAfterItem = matched === MORE;
      } else {
        at = findAnchor(bytes, this.#pairs, at, end);
        if (at >= end) {
          this.#at = at;
          break;
        }
        matched = matcher.match(at);
        if (matched < 0 && matched !== MORE) at++;
      }
      if (matched === MORE) {
        this.#at = at;
        break;
      }
      if (matched === 0) {
        this.#enterSecret();
        at = matcher.start.at;
      }
    }
  }

  #enterSecret(): void {
    const { at, addedQuote } = this.#matcher.start;
    this.#write(at);
    this.#append(addedQuote ?? EMPTY);
    this.#append(MARK_BYTES);
    this.#append(addedQuote ?? EMPTY);
    this.#isInSecret = true;
    this.#secretLength = 0;
    this.#looksLikeMark = true;
    this.#place = this.#placeOf(at);
  }

  #placeOf(at: number): SecretPlace {
    const offset = this.#offset + at;
    if (!this.#countsLines) return { offset, line: 0, column: 0 };
    this.#countLines(at);
    return { offset, line: this.#lines + 1, column: offset - this.#lineOffset + 1 };
  }

  /** @returns where the secret ends, or the text */
  #skipSecret(from: number): number {
    const { start } = this.#matcher;
    const end = this.#secretEnd.find(this.#text, from, start);
    this.#compareWithMark(from, end);
    this.#at = end;
    this.#written = end;
    this.#text.floor = end;
    if (this.#secretEnd.isOver) {
      this.#isInSecret = false;
      this.#isAfterItem = start.isInArray && start.ending === 'quoted';
      const isMark = this.#looksLikeMark && this.#secretLength === MARK_BYTES.length;
      if (!isMark) this.#onFinding(this.#place);
    }
    return end;
  }

  /** Up to `to`. It is told of many bytes at once, and only where a line is asked for or the bytes are let go. */
  #countLines(to: number): void {
    const from = this.#counted;
    if (to <= from) return;
    const part = this.#memory.subarray(from, to);
    for (let at = part.indexOf(LINE_FEED); at >= 0; at = part.indexOf(LINE_FEED, at + 1)) {
      this.#lines++;
      this.#lineOffset = this.#offset + from + at + 1;
    }
    this.#counted = to;
  }

  #compareWithMark(from: number, to: number): void {
    const { bytes } = this.#text;
    for (let at = from; at < to && this.#looksLikeMark; at++) {
      this.#looksLikeMark = bytes[at] === MARK_BYTES[this.#secretLength + at - from];
    }
    this.#secretLength += to - from;
  }

  /** Where what may still become a finding begins. */
  #undecided(): number {
    const { bytes, end, isLast, floor } = this.#text;
    if (isLast) return end;
    if (this.#at < end) return Math.max(this.#written, floor, this.#at - 3);
    // "eyJ" and the prefixes are found by their last character, and are themselves secret.
    let at = end;
    while (at > this.#written && end - at < 3 && BEGINS_SECRET[bytes[at - 1] ?? 0] === 1) at--;
    return at;
  }

  #write(to: number): void {
    if (to <= this.#written) return;
    if (!this.#isCheck) {
      this.#memory.copyWithin(this.#outTo, this.#written, to);
      this.#outTo += to - this.#written;
    }
    this.#written = to;
  }

  #append(bytes: Uint8Array): void {
    if (this.#isCheck) return;
    this.#memory.set(bytes, this.#outTo);
    this.#outTo += bytes.length;
  }
}

/** All of a text at once. */
export function scrub(text: Uint8Array, options: ScrubberOptions = {}): Buffer {
  const scrubber = new Scrubber(options);
  const first = Buffer.from(scrubber.push(text));
  return Buffer.concat([first, scrubber.end()]);
}
