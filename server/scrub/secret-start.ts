import { VALUE_ENDS } from './rules.js';
import { tableOf } from './text.js';
import type { Unit } from './unit.js';

/** How a value ends. */
export type Ending =
  /** At a delimiter. */
  | 'open'
  /** At the quote that it began with, as it is or after backslashes. */
  | 'quoted'
  /** At the quote that it began with, which is encoded in some way. */
  | 'encoded-quote'
  /** At the end of a header, or at a delimiter where that ends its first word. */
  | 'first-word'
  /** At the end of a header. */
  | 'header'
  /** After the segments of a JWT. */
  | 'compact'
  /** After the characters of base64url. */
  | 'base64url';

/** Where a secret begins and how it ends. */
export interface SecretStart {
  at: number;
  ending: Ending;
  /** Delimiters end it that are percent-encoded as often as this, or less often. */
  depth: number;
  quote: number;
  /** Before the quote that it began with. */
  backslashes: number;
  /** A number in JSON: the mark needs quotes, and these bytes are what the name's quote looks like. */
  addedQuote: Uint8Array | null;
  /** It is the first item of an array. */
  isInArray: boolean;
  /** It is the value of a header, in which blanks and commas may stand. */
  isHeader: boolean;
}

export function createSecretStart(): SecretStart {
  return {
    at: 0,
    ending: 'open',
    depth: 0,
    quote: 0,
    backslashes: 0,
    addedQuote: null,
    isInArray: false,
    isHeader: false,
  };
}

/** What ends a value, however it was begun. */
export const isValueEnd = (char: string): boolean =>
  char <= ' ' || char === '\x7f' || VALUE_ENDS.includes(char);
export const ENDS_VALUE = tableOf(isValueEnd);
const IS_IN_HEADER = tableOf((char) => '\t ,;'.includes(char));

/** Whether a unit ends a value without quotes. A character that is written in a longer way counts as what it means. */
export function endsOpen({ char, depth: found }: Unit, depth: number): boolean {
  if (char === -1) return true;
  return found <= depth && char < 0x80 && ENDS_VALUE[char] === 1;
}

/** Whether a unit at `at` ends a value whose quote is encoded. */
export function endsEncodedQuote(
  { char, depth: found, next, isPlain }: Unit,
  at: number,
  { quote, depth, isHeader }: SecretStart,
): boolean {
  if (char < 0) return true;
  if (isPlain) {
    return next > at + 1 || (ENDS_VALUE[char] === 1 && !(isHeader && IS_IN_HEADER[char] === 1));
  }
  return found <= depth && (char === quote || char < 0x20);
}
