/** Why a text is not JSON that may be trusted; the words are fit for the caller's eyes. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
}

export interface JsonRules {
  readonly maxDepth: number;
}

/** Deeper than anybody nests; what counts names by recursion goes no deeper. */
const MAX_QUICK_DEPTH = 100;
/** What gives JSON its structure is ASCII: in UTF-8 no byte of another character looks like it. */
const [QUOTE, BACKSLASH, COLON, BRACE, BRACKET, END_OF_BRACE, END_OF_BRACKET] = Buffer.from(
  '"\\:{[}]',
) as unknown as readonly number[];
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses JSON of which several readers shall think alike: UTF-8 without faults, no name twice in an object
 * (RFC 8259, section 4 leaves open which one counts), and no deeper than `maxDepth`.
 * @throws JsonFault
 */
export function parseJson(bytes: Uint8Array, rules: JsonRules): unknown {
  let text: string;
  try {
    text = UTF_8.decode(bytes);
  } catch {
    throw new JsonFault('is not valid UTF-8');
  }
  const written = countMarks(bytes);
  if (written.depth <= Math.min(rules.maxDepth, MAX_QUICK_DEPTH)) {
    const value = parsedOrNothing(text);
    // No name is lost, so none was written twice: of two in one object JSON.parse keeps one.
    if (value !== undefined && countNames(value) === written.names) return value;
  }
  return parseThoroughly(text, rules);
}

/** No value of JSON is `undefined`. */
function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of valid JSON: its depth, and how many names are written in it. Of other texts: numbers that mean nothing. */
function countMarks(bytes: Uint8Array): { readonly depth: number; readonly names: number } {
  let [open, depth, names] = [0, 0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const mark = bytes[at];
    if (mark === QUOTE) at = closingQuote(bytes, at);
    else if (mark === COLON) names++;
    else if (mark === BRACE || mark === BRACKET) depth = Math.max(depth, ++open);
    else if (mark === END_OF_BRACE || mark === END_OF_BRACKET) open--;
  }
  return { depth, names };
}

function closingQuote(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** How many names the objects in a value have, all together. */
function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let names = Array.isArray(value) ? 0 : Object.keys(value).length;
  for (const member of Object.values(value)) names += countNames(member);
  return names;
}

/** Says what is wrong, name by name and bracket by bracket. It takes several times as long as JSON.parse. */
function parseThoroughly(text: string, rules: JsonRules): unknown {
  checkStructure(text, rules);
  try {
    return JSON.parse(text);
  } catch {
    throw new JsonFault('is not valid JSON');
  }
}

/** Looks at names and brackets alone, in time that grows with the text; the rest is for JSON.parse to judge. */
function checkStructure(text: string, { maxDepth }: JsonRules): void {
  // For each open bracket the names seen in it; an array has none.
  const open: (Set<string> | null)[] = [];
  const marks = /["[\]{}:,]/g;
  let candidate: string | null = null;
  for (let match = marks.exec(text); match !== null; match = marks.exec(text)) {
    const [mark] = match;
    if (mark === '"') {
      marks.lastIndex = endOfString(text, match.index);
      candidate = text.slice(match.index, marks.lastIndex);
      continue;
    }
    if (mark === '{' || mark === '[') {
      if (open.push(mark === '{' ? new Set() : null) > maxDepth) {
        throw new JsonFault(`is nested deeper than ${maxDepth} levels`);
      }
    } else if (mark === '}' || mark === ']') {
      open.pop();
    } else if (mark === ':' && candidate !== null) {
      noteName(candidate, open.at(-1) ?? null);
    }
    candidate = null;
  }
}

/** The index behind the string that begins at `start`: that of the text's end where the string has none. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (quote >= 0 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote < 0 ? text.length : quote + 1;
}

function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (text[first - 1] === '\\') first--;
  return (index - first) % 2 === 1;
}

function noteName(quoted: string, names: Set<string> | null): void {
  if (names === null) return;
  const name = unquote(quoted);
  if (names.has(name)) throw new JsonFault('has the same name twice in an object');
  names.add(name);
}

function unquote(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new JsonFault('is not valid JSON');
  }
}
