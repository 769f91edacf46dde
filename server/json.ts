/** Why a text is not JSON that may be trusted; the words are fit for the caller's eyes. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
}

export interface JsonRules {
  readonly maxDepth: number;
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// A string, or a character that opens, closes or separates. What else a text holds is for JSON.parse to judge.
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}:,]/gs;

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
  checkStructure(text, rules);
  try {
    return JSON.parse(text);
  } catch {
    throw new JsonFault('is not valid JSON');
  }
}

function checkStructure(text: string, { maxDepth }: JsonRules): void {
  // For each open bracket the names seen in it; an array has none.
  const open: (Set<string> | null)[] = [];
  let candidate: string | null = null;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (open.push(token === '{' ? new Set() : null) > maxDepth) {
        throw new JsonFault(`is nested deeper than ${maxDepth} levels`);
      }
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token === ':' && candidate !== null) {
      noteName(candidate, open.at(-1) ?? null);
    }
    candidate = token.startsWith('"') ? token : null;
  }
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
