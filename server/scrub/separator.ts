import {
  MOST_BLANKS,
  MOST_BRACKETS,
  MOST_COLOURS,
  MOST_IN_BRACKETS,
  MOST_IN_COLOUR,
} from './rules.js';
import { ENDS_VALUE, type SecretStart } from './secret-start.js';
import { codeOf, IS_BASE64URL, MORE, NO, type Text, tableOf } from './text.js';
import { Unit } from './unit.js';

const [SPACE, TAB, PLUS] = [' ', '\t', '+'].map(codeOf);
const [ESCAPE, SMALL_M] = ['\x1b', 'm'].map(codeOf);
const IS_IN_COLOUR = tableOf((char) => /[[;\d]/.test(char));
const [DOUBLE, SINGLE] = ['"', "'"].map(codeOf);
const [EQUALS, COLON, COMMA, GREATER] = ['=', ':', ',', '>'].map(codeOf);
const [OPEN, CLOSE, OPEN_BRACE, OPEN_ROUND] = ['[', ']', '{', '('].map(codeOf);
const LITERALS = ['null', 'true', 'false', 'undefined', 'None'].map((word) => Buffer.from(word));

/** What kind of name stands before. */
interface About {
  readonly isHeader: boolean;
  /** The short name `token`, which is a word of other texts too. */
  readonly isAlone: boolean;
}

/** Reads what is between a name and its value: brackets, quotes, blanks, `=` or `:`, in whatever way they are written. */
export class SeparatorReader {
  /** What was read is the separator between two items of a list: only credentials with their scheme are a value then. */
  needsScheme = false;
  /** What was read is `:`, as after the name of a header. */
  isColon = false;
  /** The name's quotes are doubled, as in a CSV file that holds JSON: those of the value are too. */
  #isDoubled = false;
  readonly #text: Text;
  readonly #unit = new Unit();

  constructor(text: Text) {
    this.#text = text;
  }

  /** 0 where a value follows, of which `start` tells; else NO or MORE. */
  read(at: number, { isHeader, isAlone }: About, start: SecretStart): number {
    const unit = this.#unit;
    const bracketed = this.#skipBrackets(at);
    if (bracketed < 0) return bracketed;
    if (!unit.read(this.#text, bracketed)) return MORE;
    const isQuoted = isQuote(unit.char);
    const named = this.#skipSecondQuote(isQuoted ? unit.next : bracketed);
    if (named < 0) return named;
    const blank = this.#skipBlanks(named);
    if (blank < 0) return blank;
    if (!unit.read(this.#text, blank)) return MORE;
    const { char, depth } = unit;
    this.isColon = char === COLON;
    this.needsScheme = char === COMMA && isQuoted && isHeader;
    if (char !== EQUALS && char !== COLON && !this.needsScheme) return NO;
    if (isAlone && !isQuoted && (char !== EQUALS || blank !== named)) return NO;
    let next = unit.next;
    let isLoose = char !== EQUALS || blank !== named;
    if (char === EQUALS) {
      if (!unit.read(this.#text, next)) return MORE;
      if (unit.char === GREATER) {
        isLoose = true;
        next = unit.next;
      }
    }
    const value = isLoose ? this.#skipBlanks(next) : this.#skipColour(next);
    if (value < 0) return value;
    start.depth = depth;
    start.addedQuote = null;
    const quote = isQuoted && char === COLON ? this.#text.bytes.slice(bracketed, named) : null;
    return this.#readOpening(value, quote, start);
  }

  /** Behind a quote that was read, another one. */
  #skipSecondQuote(at: number): number {
    const { bytes, end, isLast } = this.#text;
    const { char, isPlain, backslashes } = this.#unit;
    this.#isDoubled = false;
    if (char !== DOUBLE || !isPlain || backslashes > 0) return at;
    if (at >= end) return isLast ? at : MORE;
    this.#isDoubled = bytes[at] === DOUBLE;
    return this.#isDoubled ? at + 1 : at;
  }

  /** What colours the text on a terminal, `ESC [ 3 2 m`, some in a row. */
  #skipColour(at: number): number {
    const { bytes, end, isLast } = this.#text;
    const unit = this.#unit;
    let colour = at;
    for (let count = 0; count < MOST_COLOURS; count++) {
      if (!unit.read(this.#text, colour)) return MORE;
      if (unit.char !== ESCAPE) return colour;
      const from = unit.next;
      let next = from;
      while (next < end && next - from < MOST_IN_COLOUR && IS_IN_COLOUR[bytes[next] ?? 0]) next++;
      if (next >= end) return isLast ? colour : MORE;
      if (bytes[next] !== SMALL_M) return colour;
      colour = next + 1;
    }
    return colour;
  }

  /** Reads from the end of one item of an array to the beginning of the next. */
  readNextItem(at: number, start: SecretStart): number {
    const unit = this.#unit;
    const { quote, backslashes } = start;
    let next = at;
    for (const wanted of [quote, COMMA, quote]) {
      if (wanted !== quote || next !== at) {
        next = this.#skipBlanks(next);
        if (next < 0) return next;
      }
      if (!unit.read(this.#text, next)) return MORE;
      if (unit.char !== wanted || unit.backslashes !== (wanted === COMMA ? 0 : backslashes))
        return NO;
      next = unit.next;
    }
    start.at = next;
    return 0;
  }

  #skipBrackets(at: number): number {
    const unit = this.#unit;
    let next = at;
    for (let brackets = 0; brackets < MOST_BRACKETS; brackets++) {
      if (!unit.read(this.#text, next)) return MORE;
      if (unit.char !== OPEN) break;
      let within = unit.next;
      for (let count = 0; ; count++) {
        if (!unit.read(this.#text, within)) return MORE;
        within = unit.next;
        if (unit.char === CLOSE) break;
        if (unit.char < 0 || unit.char > 0x7f || IS_BASE64URL[unit.char] === 0) return next;
        if (count === MOST_IN_BRACKETS) return next;
      }
      next = within;
    }
    return next;
  }

  #skipBlanks(at: number): number {
    const unit = this.#unit;
    let next = at;
    for (let count = 0; count < MOST_BLANKS; count++) {
      next = this.#skipColour(next);
      if (next < 0) return next;
      if (!unit.read(this.#text, next)) return MORE;
      const isBlank =
        unit.char === SPACE || unit.char === TAB || (unit.char === PLUS && unit.depth === 0);
      if (!isBlank) break;
      next = unit.next;
    }
    return next;
  }

  /** @param quote what the quote after the name looks like, in JSON */
  #readOpening(at: number, quote: Uint8Array | null, start: SecretStart): number {
    const unit = this.#unit;
    let next = at;
    start.isInArray = false;
    if (!unit.read(this.#text, next)) return MORE;
    const opener = unit.depth === 0 ? unit.char : NO;
    if (opener === OPEN || opener === OPEN_BRACE || opener === OPEN_ROUND) {
      next = this.#skipBlanks(unit.next);
      if (next < 0) return next;
      start.isInArray = opener === OPEN;
      if (!unit.read(this.#text, next)) return MORE;
    }
    if (!isQuote(unit.char)) {
      const prefixed = this.#skipStringPrefix(next);
      if (prefixed === MORE) return MORE;
      if (prefixed === NO) return this.#readBare(next, opener === OPEN_BRACE, quote, start);
      next = prefixed;
      if (!unit.read(this.#text, next)) return MORE;
    }
    if (opener === OPEN_BRACE) return NO;
    start.quote = unit.char;
    start.backslashes = unit.backslashes;
    start.ending = unit.isPlain ? 'quoted' : 'encoded-quote';
    start.at = this.#isDoubled ? this.#skipSecondQuote(unit.next) : unit.next;
    if (start.at < 0) return MORE;
    if (unit.depth > start.depth) start.depth = unit.depth;
    return 0;
  }

  /** Python's `b'…'` and `u'…'`. */
  #skipStringPrefix(at: number): number {
    const byte = this.#text.bytes[at];
    if (at >= this.#text.end || (byte !== codeOf('b') && byte !== codeOf('u'))) return NO;
    if (!this.#unit.read(this.#text, at + 1)) return MORE;
    return isQuote(this.#unit.char) && this.#unit.isPlain ? at + 1 : NO;
  }

  #readBare(at: number, isBraced: boolean, quote: Uint8Array | null, start: SecretStart): number {
    const { bytes, end, isLast } = this.#text;
    start.at = at;
    start.ending = 'open';
    if (quote === null) return 0;
    if (isBraced) return NO;
    for (const literal of LITERALS) {
      const known = bytes.subarray(at, Math.min(end, at + literal.length));
      if (!known.every((byte, index) => byte === literal[index])) continue;
      // One more byte tells whether the word ends here.
      if (at + literal.length >= end && !isLast) return MORE;
      if (known.length < literal.length) continue;
      if (at + literal.length >= end || ENDS_VALUE[bytes[at + literal.length] ?? 0] === 1)
        return NO;
    }
    const byte = at < end ? (bytes[at] ?? 0) : 0;
    if (byte === codeOf('-') || (byte >= 0x30 && byte <= 0x39)) start.addedQuote = quote;
    return 0;
  }
}

function isQuote(char: number): boolean {
  return char === DOUBLE || char === SINGLE;
}
