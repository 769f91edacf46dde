// Longer than 300 lines: it tells all rules once more, and takes nothing from the filter.
/**
 * The rules of docs/scrub.md once more, slowly: over the whole text at once, one character after the other, by regular expressions.
 * Shares nothing with server/scrub but the mark.
 */
interface Char {
  readonly char: string;
  readonly next: number;
  readonly depth: number;
  readonly backslashes: number;
  readonly isPlain: boolean;
}

const MARK = '*scrubbed*';
const ENDS = /^[\0- \x7f"'`<>&;,|(){}[\]#\\]$/;
const NAME_CHAR = /^[A-Za-z0-9_-]$/;
const WAYS =
  /%((?:25){0,5})([0-9a-f]{2})|(\\{1,15})(["'])|\\{1,15}u([0-9a-f]{4})|\\{1,15}x([0-9a-f]{2})|\\{1,15}(\/)|&#x([0-9a-f]{1,5});|&#([0-9]{1,5});|&(amp|quot|apos|lt|gt);/iy;
const ENTITIES: Record<string, string> = { amp: '&', quot: '"', apos: "'", lt: '<', gt: '>' };

function charAt(text: string, at: number): Char {
  WAYS.lastIndex = at;
  const found = WAYS.exec(text);
  const plain = { char: text[at] ?? '', next: at + 1, depth: 0, backslashes: 0, isPlain: true };
  if (at >= text.length) return { ...plain, next: at };
  if (found === null || (found[10] !== undefined && !(found[10] in ENTITIES))) return plain;
  const [whole, over, hex, slashes, quote, unicode, x, slash, entityHex, entity, named] = found;
  if (/^\\+[UX]/.test(whole)) return plain;
  const next = at + whole.length;
  if (slashes !== undefined)
    return { ...plain, char: quote ?? '', next, backslashes: slashes.length };
  const code = hex ?? unicode ?? x ?? entityHex;
  const number = code === undefined ? Number(entity) : Number.parseInt(code, 16);
  const isOther = hex === undefined && number > 0x7f;
  const char = named
    ? ENTITIES[named]
    : slash
      ? '/'
      : isOther
        ? '(other)'
        : String.fromCharCode(number);
  const depth = hex === undefined ? 0 : (over ?? '').length / 2 + 1;
  return { char: char ?? '', next, depth, backslashes: 0, isPlain: false };
}

/** A letter before the anchor, and the anchor itself: as it is, percent-encoded, or as \u00XX. */
function anyWay(char: string, more = ''): string {
  const codes = [...new Set([char.toLowerCase(), char.toUpperCase()])];
  const hex = codes
    .map((one) => one.charCodeAt(0).toString(16).padStart(2, '0'))
    .map((digits) => digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`))
    .join('|');
  const decimal = codes.map((one) => one.charCodeAt(0)).join('|');
  return `(?:[${codes.join('')}]|%(?:25){0,5}(?:${hex})|\\\\{1,15}u00(?:${hex})${more
    .replaceAll('HEX', hex)
    .replaceAll('DECIMAL', decimal)})`;
}
const LATER = '|\\\\{1,15}x(?:HEX)|&#x0{0,3}(?:HEX);|&#0{0,3}(?:DECIMAL);';
const word = (text: string, more = '') => [...text].map((char) => anyWay(char, more)).join('');
const NAMES = [
  {
    first: 'access stream refresh auth subject actor sluice authzen'.split(' '),
    parts: ['to', 'k', 'en'],
    kind: 'token',
  },
  { first: ['client', 'jwt', 'key'], parts: ['se', 'c', 'ret'], kind: 'secret' },
  { first: [], parts: ['authori', 'z', 'ation'], kind: 'header' },
].map(({ first, parts: [before = '', anchor = '', after = ''], kind }) => ({
  kind,
  anchor: new RegExp(anyWay(anchor, '|\\\\{1,15}x(?:HEX)').replace(/\|$/, ''), 'y'),
  before: new RegExp(`${word(before)}$`),
  withFirst: new RegExp(
    `(?:${first.map((one) => word(one)).join('|') || '(?!)'})(?:${anyWay('_')}|${anyWay('-')})?${word(before)}$`,
  ),
  after: new RegExp(word(after, LATER), 'y'),
}));

interface Value {
  at: number;
  ending: 'open' | 'quoted' | 'encoded' | 'compact' | 'run' | 'word' | 'header';
  isInHeader?: boolean;
  isAfterColon?: boolean;
  depth: number;
  quote: string;
  backslashes: number;
  added: string;
  isInArray: boolean;
}
const OPEN: Omit<Value, 'at'> = {
  ending: 'open',
  depth: 0,
  quote: '',
  backslashes: 0,
  added: '',
  isInArray: false,
};

function colours(text: string, at: number): number {
  let next = at;
  for (let count = 0; count < 4; count++) {
    const first = charAt(text, next);
    const colour = /^[[0-9;]{0,16}m/.exec(text.slice(first.next));
    if (first.char !== '\x1b' || colour === null) break;
    next = first.next + colour[0].length;
  }
  return next;
}

function blanks(text: string, at: number): number {
  let next = at;
  for (let count = 0; count < 16; count++) {
    next = colours(text, next);
    const { char, next: after, depth } = charAt(text, next);
    if (!(char === ' ' || char === '\t' || (char === '+' && depth === 0))) break;
    next = after;
  }
  return next;
}

function afterScheme(
  text: string,
  at: number,
  schemes: RegExp,
): { at: number; depth: number } | null {
  schemes.lastIndex = at;
  const found = schemes.exec(text);
  if (found === null) return null;
  let next = at + found[0].length;
  const from = next;
  let depth = 0;
  for (let count = 0; count < 16; count++) {
    const read = charAt(text, next);
    if (!(read.char === ' ' || read.char === '\t' || read.char === '+')) break;
    next = read.next;
    depth = read.depth;
  }
  return next === from ? null : { at: next, depth };
}
const SCHEMES = /basic|bearer|digest|dpop|negotiate|ntlm|oauth|token|apikey/iy;

function skipBrackets(text: string, at: number): number {
  let next = at;
  for (let count = 0; count < 4; count++) {
    const open = charAt(text, next);
    if (open.char !== '[') break;
    let within = open.next;
    let length = 0;
    for (; NAME_CHAR.test(charAt(text, within).char) && length < 33; length++) {
      within = charAt(text, within).next;
    }
    const close = charAt(text, within);
    if (close.char !== ']' || length > 32) return next;
    next = close.next;
  }
  return next;
}

function readValue(
  text: string,
  at: number,
  kind: string,
  isAlone: boolean,
): (Value & { isHeader: boolean }) | null {
  const bracketed = skipBrackets(text, at);
  const mayQuote = charAt(text, bracketed);
  const isQuoted = /^["']$/.test(mayQuote.char);
  const isDoubled = text.slice(bracketed, bracketed + 2) === '""';
  const named = isDoubled ? bracketed + 2 : isQuoted ? mayQuote.next : bracketed;
  const separated = blanks(text, named);
  const separator = charAt(text, separated);
  const isComma = separator.char === ',' && isQuoted && kind === 'header';
  if (!/^[=:]$/.test(separator.char) && !isComma) return null;
  const isTight = separator.char === '=' && separated === named;
  if (isAlone && !isQuoted && !isTight) return null;
  let next = separator.next;
  let isLoose = !isTight;
  if (separator.char === '=' && charAt(text, next).char === '>') {
    isLoose = true;
    next = charAt(text, next).next;
  }
  next = isLoose ? blanks(text, next) : colours(text, next);
  const quoteText = isQuoted && separator.char === ':' ? text.slice(bracketed, named) : null;
  const read = opening(text, next, separator.depth, quoteText);
  if (read === null) return null;
  const { at: start, quote, backslashes } = read;
  const isPlainQuote = read.ending === 'quoted' && quote === '"' && backslashes === 0;
  if (isDoubled && isPlainQuote && text[start] === '"') read.at++;
  const isAfterColon = separator.char === ':';
  return enter(text, { ...read, isAfterColon, isHeader: kind === 'header' }, isComma);
}

function opening(
  text: string,
  from: number,
  depth: number,
  quoteText: string | null,
): Value | null {
  let next = from;
  const first = charAt(text, next);
  const opener = first.depth === 0 && /^[[{(]$/.test(first.char) ? first.char : '';
  if (opener !== '') next = blanks(text, first.next);
  const isInArray = opener === '[';
  let quote = charAt(text, next);
  if (!/^["']$/.test(quote.char) && /^[bu]$/.test(text[next] ?? '')) {
    const after = charAt(text, next + 1);
    if (/^["']$/.test(after.char) && after.isPlain) quote = after;
  }
  if (/^["']$/.test(quote.char)) {
    if (opener === '{') return null;
    return {
      ...OPEN,
      at: quote.next,
      ending: quote.isPlain ? 'quoted' : 'encoded',
      isInArray,
      depth: Math.max(depth, quote.depth),
      quote: quote.char,
      backslashes: quote.backslashes,
    };
  }
  const bare = { ...OPEN, at: next, depth, isInArray };
  if (quoteText === null) return bare;
  if (opener === '{') return null;
  const literal = /^(?:null|true|false|undefined|None)(?=[\0- \x7f"'`<>&;,|(){}[\]#\\]|$)/;
  if (literal.test(text.slice(next))) return null;
  return { ...bare, added: /^[-0-9]/.test(text.slice(next)) ? quoteText : '' };
}

function enter<T extends Value & { isHeader: boolean }>(
  text: string,
  value: T,
  needsScheme: boolean,
): T | null {
  let { at, ending } = value;
  if (value.isHeader) {
    const scheme = afterScheme(text, at, SCHEMES);
    if (scheme === null && needsScheme) return null;
    if (ending === 'open' && value.isAfterColon) {
      if (scheme === null) ending = 'word';
      else if (/^(?:digest|oauth|token|apikey)/i.test(text.slice(at))) ending = 'header';
    }
    at = scheme?.at ?? at;
  }
  const entered = { ...value, at, ending, isInHeader: value.isHeader };
  if (ending === 'header' && endOf(text, { ...entered, ending: 'open' }) === at) return null;
  if (ending === 'word' && endOf(text, { ...entered, ending: 'open' }) === at) return null;
  return at >= text.length || endOf(text, entered) === at ? null : entered;
}

const isControl = (char: string) =>
  char !== '' && ((char < ' ' && char !== '\t') || char === '\x7f');

/** Where a header ends that began at `at`, or whose first word did. */
function endOfHeader(text: string, { at, ending, depth, isInArray }: Value): number {
  let next = at;
  let before = '';
  if (ending === 'word') {
    const blank = depth > 0 ? /^[ \t+]$/ : /^[ \t]$/;
    for (; ; next = charAt(text, next).next) {
      const { char, depth: found } = charAt(text, next);
      if (char === '') return next;
      if (found < depth && ENDS.test(char)) return next;
      if (found <= depth && blank.test(char)) break;
      if (found <= depth && ENDS.test(char)) return next;
    }
    next = charAt(text, next).next;
  }
  for (let open = -1; next < text.length; next = charAt(text, next).next) {
    const { char, depth: found, backslashes, next: after } = charAt(text, next);
    if (found < depth && ENDS.test(char)) return next;
    if (found <= depth && isControl(char)) return next;
    const isQuote = found <= depth && char === '"';
    if (open >= 0) {
      if (isQuote && backslashes < open) return next;
      if (isQuote && backslashes === open) open = -1;
      before = '';
    } else if (isQuote && before === '=') {
      const following = charAt(text, after).char;
      if (/^[\0- \x7f,;:|)\]}<>]?$/.test(following)) return next;
      open = backslashes;
      before = '';
    } else if (found <= depth && (/^["'\\]$/.test(char) || (isInArray && char === ']'))) {
      return next;
    } else {
      before = found <= depth ? char : '';
    }
  }
  return text.length;
}

function endOf(text: string, value: Value): number {
  const { at, ending, depth, quote, backslashes, isInHeader } = value;
  if (ending === 'word' || ending === 'header') return endOfHeader(text, value);
  if (ending === 'run') return at + (/^[\w-]*/.exec(text.slice(at))?.[0].length ?? 0);
  for (let next = at; next < text.length; ) {
    const read = charAt(text, next);
    const length = read.next - next;
    if (ending === 'quoted') {
      const run = /^\\*/.exec(text.slice(next))?.[0].length ?? 0;
      const after = text[next + run] ?? '';
      if (run === 0 && after < ' ' && after !== '\t') return next;
      if (after === quote) {
        const isInner =
          run >= backslashes && Math.floor((run - backslashes) / (backslashes + 1)) % 2 === 1;
        if (!isInner) return next + run - Math.min(run, backslashes);
        next += run + 1;
      } else next += Math.max(1, run);
      continue;
    }
    if (ending === 'compact') {
      if (!(length === 1 && NAME_CHAR.test(read.char)) && read.char !== '.') return next;
    } else if (ending === 'open') {
      if (read.depth <= depth && ENDS.test(read.char)) return next;
    } else if (
      length === 1
        ? ENDS.test(read.char) && !(isInHeader && /^[\t ,;]$/.test(read.char))
        : read.isPlain
          ? true
          : read.depth <= depth && (read.char === quote || read.char < ' ')
    ) {
      return next;
    }
    next = read.next;
  }
  return text.length;
}

function charBefore(text: string, at: number): string {
  const encoded = /(?:%(?:25){0,5}|\\u00)([0-9a-f]{2})$/i.exec(
    text.slice(Math.max(0, at - 16), at),
  );
  if (encoded !== null && !/\\U00..$/.test(encoded[0]))
    return String.fromCharCode(Number.parseInt(encoded[1] ?? '', 16));
  return text[at - 1] ?? '';
}

/** What begins with the anchor at `at`, in a text before which nothing is looked at. */
function findAt(text: string, at: number): (Value & { isHeader: boolean }) | null {
  const found = (value: Partial<Value> & { at: number }) => ({
    ...OPEN,
    isHeader: false,
    ...value,
  });
  for (const { kind, anchor, before, withFirst, after } of NAMES) {
    anchor.lastIndex = at;
    const letter = anchor.exec(text);
    const head = text.slice(Math.max(0, at - 400), at);
    const word = before.exec(head);
    if (letter === null || word === null) continue;
    after.lastIndex = at + letter[0].length;
    const rest = after.exec(text);
    if (rest === null) continue;
    const wordStart = at - lengthOfLast(head, before);
    const isWhole = kind === 'token' && endsInId(text.slice(0, wordStart));
    const isAlone = kind !== 'header' && !withFirst.test(head) && !isWhole;
    if (
      isAlone &&
      (kind !== 'token' ||
        NAME_CHAR.test(charBefore(text.slice(0, at), at - lengthOfLast(head, before))))
    )
      continue;
    const value = readValue(text, after.lastIndex, kind, isAlone);
    if (value !== null) return value;
  }
  const jwt = /^eyJ[\w-]{7,16381}(?![\w-])/.exec(text.slice(Math.max(0, at - 2)));
  if (at >= 2 && jwt !== null) {
    const dot = charAt(text, at - 2 + jwt[0].length);
    const next = charAt(text, dot.next);
    if (
      dot.char === '.' &&
      (next.char === '.' || (next.next === dot.next + 1 && NAME_CHAR.test(next.char)))
    ) {
      return found({ at: at - 2, ending: 'compact' });
    }
  }
  if (at >= 3 && /^(?:sst|scs)_[\w-]{30}/.test(text.slice(at - 3, at + 31)))
    return found({ at: at - 3, ending: 'run' });
  const bare = afterScheme(text, at, /bearer|basic/iy);
  if (bare !== null) {
    const credentials = /^[A-Za-z0-9._~+/-]{0,32}/.exec(text.slice(bare.at))?.[0] ?? '';
    if (
      credentials.length === 32 ||
      (credentials.length >= 9 && /[0-9]|[a-z][A-Z]/.test(credentials))
    )
      return found(bare);
  }
  return null;
}

const ID = new RegExp(`${word('id')}(?:${anyWay('_')}|${anyWay('-')})?$`);

function endsInId(head: string): boolean {
  const end = head.slice(-100);
  if (!ID.test(end)) return false;
  return !/^[A-Za-z0-9]$/.test(charBefore(head, head.length - lengthOfLast(end, ID)));
}

/** The shortest end of `head` that the pattern matches. */
function lengthOfLast(head: string, pattern: RegExp): number {
  for (let length = 1; length <= head.length; length++) {
    const end = head.slice(-length);
    if (new RegExp(`^${pattern.source}`).test(end)) {
      // An encoding may begin with more backslashes.
      const more = end.startsWith('\\') ? /\\{0,14}$/.exec(head.slice(0, -length))?.[0].length : 0;
      return length + (more ?? 0);
    }
  }
  return head.length;
}

export function referenceScrub(whole: string): { text: string; count: number } {
  let output = '';
  let rest = whole;
  let count = 0;
  for (let at = 0; at < rest.length; at++) {
    let value = findAt(rest, at);
    if (value === null) continue;
    let written = 0;
    let end = 0;
    while (value !== null) {
      end = endOf(rest, value);
      if (rest.slice(value.at, end) !== MARK) count++;
      output += `${rest.slice(written, value.at)}${value.added}${MARK}${value.added}`;
      written = end;
      value =
        value.isInArray && value.ending === 'quoted'
          ? nextItem(rest.slice(end), end, rest, value)
          : null;
    }
    rest = rest.slice(end);
    at = -1;
  }
  return { text: output + rest, count };
}

function nextItem(tail: string, end: number, text: string, value: Value & { isHeader: boolean }) {
  const close = charAt(tail, 0);
  const isQuote = ({ char, backslashes }: Char) =>
    char === value.quote && backslashes === value.backslashes;
  const comma = charAt(tail, blanks(tail, close.next));
  const open = charAt(tail, blanks(tail, comma.next));
  if (!isQuote(close) || comma.char !== ',' || comma.backslashes !== 0 || !isQuote(open))
    return null;
  return enter(text, { ...value, at: end + open.next, added: '' }, false);
}
