import { endsOpen, type SecretStart } from './secret-start.js';
import { codeOf, MORE, NO, type Text } from './text.js';
import { Unit } from './unit.js';

const [DOUBLE, SINGLE, EQUALS, CLOSE, BACKSLASH] = ['"', "'", '=', ']', '\\'].map(codeOf);
const [SPACE, TAB, PLUS] = [' ', '\t', '+'].map(codeOf);
/** What follows a quote that closes a text, and is in no string of a header: base64 before it may end with `=` too. */
const AFTER_TEXT = ',;:|)]}<> \t';

/**
 * Finds the end of a header's value that does not stand in quotes: the end of the line, or a quote that is not of the header
 * itself: `Signature keyId="a",signature="b"` has strings, each after its `=`.
 */
export class HeaderEnd {
  isOver = false;
  readonly #unit = new Unit();
  readonly #following = new Unit();
  #isAfterFirstWord = false;
  #isAfterEquals = false;
  /** Backslashes before the quote that began the string that it is in; NO in none. */
  #string = NO;

  find(text: Text, from: number, start: SecretStart): number {
    this.isOver = false;
    const unit = this.#unit;
    for (let at = from; ; at = unit.next) {
      if (!unit.read(text, at)) return at;
      const ended = this.#ends(text, start);
      if (ended === MORE) return at;
      if (ended === NO) continue;
      this.isOver = true;
      this.#isAfterFirstWord = false;
      this.#isAfterEquals = false;
      this.#string = NO;
      return at;
    }
  }

  /** 0 where the character ends the value; else NO or MORE. */
  #ends(text: Text, { ending, depth, isInArray }: SecretStart): number {
    const { char, depth: found, backslashes } = this.#unit;
    if (char === NO) return 0;
    if (found > depth) return this.#goOn(false);
    if (found < depth && endsOpen(this.#unit, depth)) return 0;
    if (isControl(char)) return 0;
    if (ending === 'first-word' && !this.#isAfterFirstWord) {
      this.#isAfterFirstWord = char === SPACE || char === TAB || (char === PLUS && depth > 0);
      return !this.#isAfterFirstWord && endsOpen(this.#unit, depth) ? 0 : NO;
    }
    if (this.#string !== NO) {
      if (char !== DOUBLE || backslashes > this.#string) return NO;
      if (backslashes < this.#string) return 0;
      this.#string = NO;
      return NO;
    }
    if (char === DOUBLE && this.#isAfterEquals) return this.#enterString(text);
    if (char === DOUBLE || char === SINGLE || char === BACKSLASH) return 0;
    if (isInArray && char === CLOSE) return 0;
    return this.#goOn(char === EQUALS);
  }

  #goOn(isEquals: boolean): number {
    this.#isAfterEquals = isEquals;
    return NO;
  }

  #enterString(text: Text): number {
    const following = this.#following;
    if (!following.read(text, this.#unit.next)) return MORE;
    const { char } = following;
    if (char === NO || isControl(char) || AFTER_TEXT.includes(String.fromCharCode(char))) return 0;
    this.#string = this.#unit.backslashes;
    return this.#goOn(false);
  }
}

function isControl(char: number): boolean {
  return (char < 0x20 && char !== TAB) || char === 0x7f;
}
