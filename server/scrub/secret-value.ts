import { HeaderEnd } from './header-end.js';
import { endsEncodedQuote, endsOpen, isValueEnd, type SecretStart } from './secret-start.js';
import { codeOf, IS_BASE64URL, type Text, tableOf } from './text.js';
import { Unit } from './unit.js';

const STOPS_OPEN = tableOf(isValueEnd);
const STOPS_ENCODED = tableOf((char) => isValueEnd(char) || char === '%');
const STOPS_QUOTED = tableOf((char) => (char < ' ' && char !== '\t') || '"\'\\'.includes(char));
const BACKSLASH = codeOf('\\');
const DOT = codeOf('.');

const unit = new Unit();

/**
 * Where the secret ends, as far as the text shows. `isOver` tells whether that is its end, or the text's. What a secret has
 * been through is not kept, so that it may be of any length.
 */
export class SecretEnd {
  isOver = false;
  #backslashes = 0;
  readonly #header = new HeaderEnd();

  /** Looks on at `from`. Where the text ends within what may be an encoded character, that is where it stops. */
  find(text: Text, from: number, start: SecretStart): number {
    this.isOver = false;
    switch (start.ending) {
      case 'open':
        return this.#findOpen(text, from, start);
      case 'quoted':
        return this.#findQuote(text, from, start);
      case 'encoded-quote':
        return this.#findEncodedQuote(text, from, start);
      case 'first-word':
      case 'header':
        return this.#findHeaderEnd(text, from, start);
      case 'compact':
        return this.#findCompact(text, from);
      case 'base64url':
        return this.#findBase64url(text, from);
    }
  }

  #end(at: number): number {
    this.isOver = true;
    this.#backslashes = 0;
    return at;
  }

  #findOpen(text: Text, from: number, { depth }: SecretStart): number {
    const { bytes, end } = text;
    const stops = depth === 0 ? STOPS_OPEN : STOPS_ENCODED;
    for (let at = from; ; ) {
      while (at < end && stops[bytes[at] ?? 0] === 0) at++;
      if (at >= end) return text.isLast ? this.#end(at) : at;
      if (!unit.read(text, at)) return at;
      if (endsOpen(unit, depth)) return this.#end(at);
      at = unit.next;
    }
  }

  #findEncodedQuote(text: Text, from: number, start: SecretStart): number {
    const { bytes, end } = text;
    for (let at = from; ; ) {
      while (at < end && STOPS_ENCODED[bytes[at] ?? 0] === 0) at++;
      if (at >= end) return text.isLast ? this.#end(at) : at;
      if (!unit.read(text, at)) return at;
      if (endsEncodedQuote(unit, at, start)) return this.#end(at);
      at = unit.next;
    }
  }

  #findQuote(text: Text, from: number, { quote, backslashes }: SecretStart): number {
    const { bytes, end } = text;
    const first = from < end ? bytes[from] : BACKSLASH;
    if (first !== BACKSLASH && first !== quote) this.#backslashes = 0;
    for (let at = from; ; ) {
      while (at < end && STOPS_QUOTED[bytes[at] ?? 0] === 0) at++;
      if (at >= end) return text.isLast ? this.#end(at) : at;
      if ((bytes[at] ?? 0) < 0x20) return this.#end(at);
      let next = at;
      while (next < end && bytes[next] === BACKSLASH) next++;
      if (next >= end) {
        return text.isLast ? this.#end(next) : this.#keepBack(at, next, backslashes);
      }
      const run = this.#backslashes + next - at;
      this.#backslashes = 0;
      if (bytes[next] === quote && closes(run, backslashes)) {
        return this.#end(next - Math.min(run, backslashes));
      }
      at = bytes[next] === quote || next === at ? next + 1 : next;
    }
  }

  /** The last backslashes of a run may belong to the quote that follows; those before them are counted and let go. */
  #keepBack(at: number, next: number, backslashes: number): number {
    const kept = Math.max(at, next - backslashes);
    this.#backslashes += kept - at;
    return kept;
  }

  #findHeaderEnd(text: Text, from: number, start: SecretStart): number {
    const at = this.#header.find(text, from, start);
    return this.#header.isOver ? this.#end(at) : at;
  }

  #findCompact(text: Text, from: number): number {
    const { bytes, end } = text;
    for (let at = from; ; ) {
      while (at < end && IS_BASE64URL[bytes[at] ?? 0] === 1) at++;
      if (at >= end) return text.isLast ? this.#end(at) : at;
      if (!unit.read(text, at)) return at;
      if (unit.char !== DOT) return this.#end(at);
      at = unit.next;
    }
  }

  #findBase64url(text: Text, from: number): number {
    const { bytes, end } = text;
    let at = from;
    while (at < end && IS_BASE64URL[bytes[at] ?? 0] === 1) at++;
    return at < end || text.isLast ? this.#end(at) : at;
  }
}

/**
 * Whether a quote after `run` backslashes ends a string whose first quote had `first`: JSON in JSON has 0, 1, 3, 7 … there, and
 * a quote within the string has as many again and one more.
 */
function closes(run: number, first: number): boolean {
  return run < first || Math.floor((run - first) / (first + 1)) % 2 === 0;
}
