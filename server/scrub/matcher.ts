// Longer than 300 lines: the rules share one reader and one place for what they find, so that nothing is made anew for each candidate.
import {
  BARE_BEGINNING,
  BARE_LEAST,
  BARE_SCHEMES,
  JWT_BEGINNING,
  JWT_HEADER_LEAST,
  JWT_HEADER_MOST,
  MOST_BLANKS,
  PARAMETER_SCHEMES,
  SCHEMES,
  SECRET_LEAST,
  SECRET_PREFIXES,
  SECRET_WORDS,
  TOKEN_WORDS,
  WHOLE_TOKEN_WORDS,
} from './rules.js';
import { createSecretStart, endsEncodedQuote, endsOpen } from './secret-start.js';
import { SeparatorReader } from './separator.js';
import { codeOf, IS_BASE64URL, IS_TOKEN68, MORE, NO, type Text, tableOf } from './text.js';
import { charBefore, isSame, matchBefore, Unit } from './unit.js';

const codesOf = (word: string) => Uint8Array.from(Buffer.from(word, 'latin1'));

/** A name, by the letter of it that is looked for: one that few words have. */
interface Name {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly firstWords: readonly Uint8Array[];
  /** Before these stands no letter and no digit. */
  readonly wholeWords: readonly Uint8Array[];
  /** Whether it is a name by itself too, where no longer word ends in it. */
  readonly isAlone: boolean;
  readonly isHeader: boolean;
}

function nameOf(word: string, anchor: string, rest: Partial<Name>): Name {
  const index = word.indexOf(anchor);
  return {
    before: codesOf(word.slice(0, index)),
    after: codesOf(word.slice(index + 1)),
    firstWords: [],
    wholeWords: [],
    isAlone: false,
    isHeader: false,
    ...rest,
  };
}

const TOKEN = nameOf('token', 'k', {
  firstWords: TOKEN_WORDS.map(codesOf),
  wholeWords: WHOLE_TOKEN_WORDS.map(codesOf),
  isAlone: true,
});
const SECRET = nameOf('secret', 'c', { firstWords: SECRET_WORDS.map(codesOf) });
const AUTHORIZATION = nameOf('authorization', 'z', { isHeader: true });
const SCHEME_CODES = SCHEMES.map((scheme) => ({
  codes: codesOf(scheme),
  hasParameters: PARAMETER_SCHEMES.includes(scheme),
}));
const BARE_CODES = BARE_SCHEMES.map(codesOf);
const PREFIX_CODES = SECRET_PREFIXES.map(codesOf);
const UNDERSCORE = codeOf('_');
const DASH = codeOf('-');
const SPACE = codeOf(' ');
const PLUS = codeOf('+');
const DOT = codeOf('.');
/** Before these, the name `token` is one by itself: none of them goes on a word. */
const GOES_ON_WORD = tableOf((char) => /[A-Za-z0-9]/.test(char));
const GOES_ON_NAME = tableOf((char) => /[A-Za-z0-9_-]/.test(char));

/** Tells whether a secret is told by the anchor at some place. Reads what surrounds it, which is bounded. */
export class Matcher {
  readonly start = createSecretStart();
  readonly #text: Text;
  readonly #unit = new Unit();
  readonly #separator: SeparatorReader;
  /** No dot follows the base64url between these. */
  #runFrom = 0;
  #runTo = 0;
  /** How often the blank was percent-encoded that was skipped last. */
  #blankDepth = 0;
  #isHeader = false;
  /** The scheme that was skipped last has parameters. */
  #hasParameters = false;
  /** Bytes that were looked at, for the tests: it must stay in proportion to the text. */
  work = 0;

  constructor(text: Text) {
    this.#text = text;
    this.#separator = new SeparatorReader(text);
  }

  /** The text was moved by so many bytes towards its beginning. */
  move(by: number): void {
    this.#runFrom -= by;
    this.#runTo -= by;
  }

  /** 0 for a secret, which is then in `start`; else NO or MORE. */
  match(at: number): number {
    const byte = this.#text.bytes[at] ?? 0;
    this.work += 4;
    switch (byte) {
      case 0x4a: // J
        return this.#matchJwt(at);
      case UNDERSCORE:
        return this.#matchPrefix(at);
      case 0x42: // B
      case 0x62:
        return this.#matchBareScheme(at);
      case 0x25: // %
      case 0x5c: // \
        return this.#matchEncodedName(at);
      default:
        return this.#matchName(at, at + 1, byte | 0x20);
    }
  }

  #matchEncodedName(at: number): number {
    const unit = this.#unit;
    if (!unit.read(this.#text, at)) return MORE;
    if (unit.isPlain || unit.char > 0x7f || unit.char < 0x41) return NO;
    return this.#matchName(at, unit.next, unit.char | 0x20);
  }

  /** @param from where the letter is written, up to `to` */
  #matchName(from: number, to: number, letter: number): number {
    const name =
      letter === 0x6b ? TOKEN : letter === 0x63 ? SECRET : letter === 0x7a ? AUTHORIZATION : null;
    if (name === null) return NO;
    const word = this.#matchAllBefore(from, name.before);
    if (word === NO) return NO;
    this.work += 32;
    const after = this.#matchAfter(to, name.after);
    if (after < 0) return after;
    const isAlone = !name.isHeader && !this.#hasFirstWord(word, name);
    if (isAlone && !(name.isAlone && this.#isWholeName(word))) return NO;
    return this.#matchValue(after, name, isAlone);
  }

  #isWholeName(at: number): boolean {
    const before = charBefore(this.#text, at);
    return before === NO || GOES_ON_NAME[before] === 0;
  }

  #hasFirstWord(at: number, { firstWords, wholeWords }: Name): boolean {
    const underscore = matchBefore(this.#text, at, UNDERSCORE);
    const dash = underscore === NO ? matchBefore(this.#text, at, DASH) : underscore;
    const end = dash === NO ? at : dash;
    if (firstWords.some((word) => this.#matchAllBefore(end, word) !== NO)) return true;
    return wholeWords.some((word) => {
      const start = this.#matchAllBefore(end, word);
      if (start === NO) return false;
      const before = charBefore(this.#text, start);
      return before === NO || GOES_ON_WORD[before] === 0;
    });
  }

  #matchAllBefore(at: number, codes: Uint8Array): number {
    let start = at;
    for (let index = codes.length - 1; index >= 0 && start !== NO; index--) {
      start = matchBefore(this.#text, start, codes[index] ?? 0);
    }
    return start;
  }

  #matchAfter(at: number, codes: Uint8Array): number {
    const unit = this.#unit;
    let next = at;
    for (const code of codes) {
      if (!unit.read(this.#text, next)) return MORE;
      if (!isSame(unit.char, code)) return NO;
      next = unit.next;
    }
    return next;
  }

  #matchValue(at: number, name: Name, isAlone: boolean): number {
    const { start } = this;
    const read = this.#separator.read(at, { isHeader: name.isHeader, isAlone }, start);
    if (read < 0) return read;
    this.#isHeader = name.isHeader;
    return this.#enterValue();
  }

  /** What follows a value in an array of strings: `","` and another one. `at` is the quote that ended the last one. */
  matchNextItem(at: number): number {
    this.#separator.needsScheme = false;
    const read = this.#separator.readNextItem(at, this.start);
    return read < 0 ? read : this.#enterValue();
  }

  #enterValue(): number {
    const { start } = this;
    start.isHeader = this.#isHeader;
    if (this.#isHeader) {
      const scheme = this.#skipScheme(start.at);
      if (scheme === MORE) return MORE;
      if (scheme === NO && this.#separator.needsScheme) return NO;
      const mayHaveBlanks = start.ending === 'open' && this.#separator.isColon;
      if (scheme !== NO) start.at = scheme;
      if (mayHaveBlanks && scheme === NO) start.ending = 'first-word';
      if (mayHaveBlanks && scheme !== NO && this.#hasParameters) start.ending = 'header';
    }
    return this.#isEmpty();
  }

  /** NO where nothing is there to be removed. */
  #isEmpty(): number {
    const { start } = this;
    const unit = this.#unit;
    if (!unit.read(this.#text, start.at)) return MORE;
    if (unit.char === NO) return NO;
    if (start.ending === 'quoted') {
      const isEnd = unit.char < 0x20 && unit.char !== 9 && unit.next === start.at + 1;
      const isQuote = unit.char === start.quote && unit.isPlain;
      return isEnd || (isQuote && unit.backslashes <= start.backslashes) ? NO : 0;
    }
    if (start.ending === 'encoded-quote') return endsEncodedQuote(unit, start.at, start) ? NO : 0;
    return endsOpen(unit, start.depth) ? NO : 0;
  }

  /** Where the credentials begin after the name of a scheme. */
  #skipScheme(at: number): number {
    for (const { codes, hasParameters } of SCHEME_CODES) {
      const end = this.#matchRaw(at, codes);
      if (end === MORE) return MORE;
      this.#hasParameters = hasParameters;
      if (end !== NO) return this.#skipBlanks(end);
    }
    return NO;
  }

  #matchRaw(at: number, codes: Uint8Array): number {
    const { bytes, end, isLast } = this.#text;
    for (let index = 0; index < codes.length; index++) {
      if (at + index >= end) return isLast ? NO : MORE;
      if (!isSame(bytes[at + index] ?? 0, codes[index] ?? 0)) return NO;
    }
    return at + codes.length;
  }

  /** Where what follows the blanks begins; NO if there is none.  */
  #skipBlanks(at: number): number {
    const unit = this.#unit;
    let next = at;
    for (let count = 0; count < MOST_BLANKS; count++) {
      if (!unit.read(this.#text, next)) return MORE;
      if (unit.char !== SPACE && unit.char !== PLUS && unit.char !== 9) break;
      this.#blankDepth = unit.depth;
      next = unit.next;
    }
    return next === at ? NO : next;
  }

  #matchBareScheme(at: number): number {
    const { bytes, end, isLast } = this.#text;
    for (const codes of BARE_CODES) {
      const word = this.#matchRaw(at, codes);
      if (word === MORE) return MORE;
      if (word === NO) continue;
      const from = this.#skipBlanks(word);
      if (from < 0) return from;
      const depth = this.#blankDepth;
      let isOdd = false;
      let to = from;
      for (; to < end && to - from < BARE_BEGINNING; to++) {
        const byte = bytes[to] ?? 0;
        if (IS_TOKEN68[byte] === 0) break;
        const before = to === from ? 0 : (bytes[to - 1] ?? 0);
        if (isDigit(byte) || (isCapital(byte) && isSmall(before))) isOdd = true;
      }
      this.work += to - from;
      const length = to - from;
      if (length < BARE_BEGINNING && to >= end && !isLast) return MORE;
      if (length < BARE_BEGINNING && !(isOdd && length >= BARE_LEAST)) return NO;
      return this.#found(from, 'open', depth);
    }
    return NO;
  }

  #matchJwt(at: number): number {
    const { bytes, floor, end, isLast } = this.#text;
    const from = at - JWT_BEGINNING.length + 1;
    if (from < floor || bytes[at - 1] !== 0x79 || bytes[at - 2] !== 0x65) return NO;
    let to = from >= this.#runFrom && at < this.#runTo ? this.#runTo : at;
    const most = Math.min(end, from + JWT_HEADER_MOST + 1);
    const before = to;
    while (to < most && IS_BASE64URL[bytes[to] ?? 0] === 1) to++;
    this.work += to - before;
    this.#runFrom = from;
    this.#runTo = to;
    if (to - from > JWT_HEADER_MOST) return NO;
    if (to >= end && !isLast) return MORE;
    if (to - from < JWT_HEADER_LEAST) return NO;
    const unit = this.#unit;
    if (!unit.read(this.#text, to)) return MORE;
    if (unit.char !== DOT) return NO;
    const next = unit.next;
    if (!unit.read(this.#text, next)) return MORE;
    const goesOn = unit.char === DOT || (unit.next === next + 1 && IS_BASE64URL[unit.char] === 1);
    return goesOn ? this.#found(from, 'compact', 0) : NO;
  }

  #matchPrefix(at: number): number {
    const { bytes, floor, end, isLast } = this.#text;
    for (const codes of PREFIX_CODES) {
      const from = at - codes.length + 1;
      if (from < floor || !codes.every((code, index) => bytes[from + index] === code)) continue;
      let to = at + 1;
      while (to < end && to - at <= SECRET_LEAST && IS_BASE64URL[bytes[to] ?? 0] === 1) to++;
      this.work += to - at;
      if (to - at > SECRET_LEAST) return this.#found(from, 'base64url', 0);
      return to >= end && !isLast ? MORE : NO;
    }
    return NO;
  }

  #found(at: number, ending: 'open' | 'compact' | 'base64url', depth: number): number {
    const { start } = this;
    start.at = at;
    start.ending = ending;
    start.depth = depth;
    start.addedQuote = null;
    start.isInArray = false;
    return 0;
  }
}

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
const isCapital = (byte: number) => byte >= 0x41 && byte <= 0x5a;
const isSmall = (byte: number) => byte >= 0x61 && byte <= 0x7a;
