import {
  BARE_BEGINNING,
  BARE_LEAST,
  BARE_SCHEMES,
  JWT_BEGINNING,
  JWT_HEADER_LEAST,
  MOST_BLANKS,
  MOST_BRACKETS,
  MOST_IN_BRACKETS,
  SCHEMES,
  SECRET_LEAST,
  SECRET_PREFIXES,
  SECRET_WORDS,
  TOKEN_WORDS,
  WHOLE_TOKEN_WORDS,
} from './rules.js';

/**
 * The rules as regular expressions for other programs. They keep to what RE2, Rust's regex, Onigmo and JavaScript read alike: no
 * looking around, no flags. Quotes are written as \x22 and \x27, so that the configurations need no escapes of their own.
 */
export interface RecipePattern {
  readonly name: string;
  readonly pattern: string;
  /** Whether group 1 is to be kept before the mark. */
  readonly keeps: boolean;
}

const either = (...patterns: readonly string[]) => `(?:${patterns.join('|')})`;

/** The digits of a code in either case. */
function hexOf(char: string): string {
  const digits = char.charCodeAt(0).toString(16).padStart(2, '0');
  return digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function casesOf(char: string): string[] {
  return [...new Set([char.toLowerCase(), char.toUpperCase()])];
}

function letter(char: string): string {
  const hex = either(...casesOf(char).map(hexOf));
  const plain = casesOf(char).join('').replace('-', '\\-');
  return `(?:[${plain}]|%(?:25)*${hex}|\\\\+u00${hex})`;
}

const word = (text: string) => [...text].map(letter).join('');
const anyCase = (text: string) =>
  [...text].map((char) => (/[a-z]/.test(char) ? `[${char}${char.toUpperCase()}]` : char)).join('');

const PERCENT = '%(?:25)*';
const JOINT = `${either(letter('_'), letter('-'))}?`;
const EDGE = either('^', '[^A-Za-z0-9]', `${PERCENT}[0-9A-Fa-f]{2}`);
const NAME_EDGE = either('^', '[^A-Za-z0-9_\\-]', `${PERCENT}(?:2[0-9A-Ca-c]|3[A-Fa-f]|7[B-Db-d])`);
const TOKEN = word('token');
const NAME = either(
  `${either(...TOKEN_WORDS.map(word))}${JOINT}${TOKEN}`,
  `${EDGE}${either(...WHOLE_TOKEN_WORDS.map(word))}${JOINT}${TOKEN}`,
  `${either(...SECRET_WORDS.map(word))}${JOINT}${word('secret')}`,
);
const ALONE = `${NAME_EDGE}${TOKEN}`;
const BRACKETS = `(?:(?:\\[|${PERCENT}5[Bb])[A-Za-z0-9_\\-]{0,${MOST_IN_BRACKETS}}(?:\\]|${PERCENT}5[Dd])){0,${MOST_BRACKETS}}`;
const ENCODED_QUOTE = either(
  `${PERCENT}2[27]`,
  '\\\\+(?:u00|x)2[27]',
  '&quot;',
  '&apos;',
  '&#0*3[49];',
  '&#[xX]2[27];',
);
const QUOTE = either('\\\\*[\\x22\\x27]', ENCODED_QUOTE);
const BLANKS = `[ \\t]{0,${MOST_BLANKS}}`;
const ENCODED_SEPARATOR = either('\\\\+(?:u00|x)3[AaDd]', '&#(?:58|61|[xX]3[AaDd]);');
const SEPARATOR = either(`${BLANKS}[=:]>?${BLANKS}`, ENCODED_SEPARATOR);
const ENDS = '\\x00-\\x20\\x7f\\x22\\x27`<>&;,|(){}\\[\\]#\\\\';
/** What is written in a longer way and does not end a value. */
const LONGER = either(
  '\\\\+/',
  '\\\\+(?:u00|x)(?:2[BbDdEeFf]|3[0-9AaDdFf]|5[Ff]|7[Ee]|[46][1-9A-Fa-f]|[57][0-9Aa])',
  '&#(?:4[3567]|61|[xX](?:2[BbDdEeFf]|3[Dd]));',
);
const OPEN_VALUE = `(?:[^${ENDS}]|${LONGER})+`;
/** Ends at delimiters that are encoded, however often. */
const ENCODED_VALUE = `(?:[^${ENDS}%]|${PERCENT}(?:25[G-Zg-z_.\\-]|2[1479ADEFadef]|2[Bb]|3[0-9ADFadf]|[4-689A-Fa-f][0-9A-Fa-f]|5[0-9AEFaef]|7[0-9AEae]))+`;
const STRING = (quote: string) => `(?:[^${quote}\\\\\\x00-\\x1f]|\\\\.)+`;

const NAMED = `${NAME}${BRACKETS}`;
const QUOTED_NAME = `${either(NAME, ALONE)}${BRACKETS}${QUOTE}`;
const ANY_NAME = either(QUOTED_NAME, NAMED);
const OPENING = `[\\[(]?${BLANKS}`;
const SCHEME = `(?:${either(...SCHEMES.map(anyCase))}(?:[ \\t+]|${PERCENT}20){1,${MOST_BLANKS}})?`;
const TOKEN68 = 'A-Za-z0-9._~+/\\-';

/** A word that looks like credentials: long enough, and with a digit or a capital after a small letter in its beginning. */
function credentials(): string {
  const oddAt = (odd: string, length: number) => [
    ...Array.from(
      { length: BARE_LEAST - length + 1 },
      (_, at) => `[${TOKEN68}]{${at}}${odd}[${TOKEN68}]{${BARE_LEAST - length - at}}`,
    ),
    `[${TOKEN68}]{${BARE_LEAST - length},${BARE_BEGINNING - length}}${odd}`,
  ];
  return either(...oddAt('[0-9]', 1), ...oddAt('[a-z][A-Z]', 2), `[${TOKEN68}]{${BARE_BEGINNING}}`);
}

const DOT = either('\\.', `${PERCENT}2[Ee]`, '\\\\+u002[Ee]');

export const RECIPE_PATTERNS: readonly RecipePattern[] = [
  {
    name: 'a value in double quotes',
    pattern: `(${ANY_NAME}${SEPARATOR}${OPENING}[bu]?\\x22)${STRING('\\x22')}`,
    keeps: true,
  },
  {
    name: 'a value in single quotes',
    pattern: `(${ANY_NAME}${SEPARATOR}${OPENING}[bu]?\\x27)${STRING('\\x27')}`,
    keeps: true,
  },
  {
    name: 'a value in escaped quotes',
    pattern: `(${ANY_NAME}${SEPARATOR}${OPENING}\\\\+[\\x22\\x27])[^\\x22\\x27\\\\\\x00-\\x1f]+`,
    keeps: true,
  },
  {
    name: 'a value in encoded quotes',
    pattern: `(${ANY_NAME}${either(SEPARATOR, `${PERCENT}3[AaDd](?:${PERCENT}20|\\+)*`)}${ENCODED_QUOTE})${ENCODED_VALUE}`,
    keeps: true,
  },
  {
    name: 'a parameter',
    pattern: `(${either(
      `${either(NAMED, `${ALONE}${BRACKETS}`)}(?:=|${ENCODED_SEPARATOR})[\\[{(]?`,
      `${NAMED}${either(`[ \\t]{1,${MOST_BLANKS}}=${BLANKS}`, `${BLANKS}:${BLANKS}`, `${BLANKS}=>${BLANKS}`)}[\\[{(]?`,
    )})${OPEN_VALUE}`,
    keeps: true,
  },
  {
    name: 'a parameter within an encoded URL',
    pattern: `(${either(NAMED, `${ALONE}${BRACKETS}`)}${PERCENT}3[AaDd])${ENCODED_VALUE}`,
    keeps: true,
  },
  {
    name: 'the header Authorization in double quotes',
    pattern: `(${word('authorization')}${QUOTE}${SEPARATOR}${OPENING}\\x22${SCHEME})${STRING('\\x22')}`,
    keeps: true,
  },
  {
    name: 'the header Authorization',
    pattern: `(${word('authorization')}${QUOTE}?${either(SEPARATOR, `${PERCENT}3[AaDd]`)}${OPENING}${QUOTE}?${SCHEME})${OPEN_VALUE}`,
    keeps: true,
  },
  {
    name: 'credentials after their scheme',
    pattern: `(${either(...BARE_SCHEMES.map(anyCase))}(?:[ \\t+]|${PERCENT}20){1,${MOST_BLANKS}})${credentials()}[^${ENDS}]*`,
    keeps: true,
  },
  {
    name: 'a JWT',
    pattern: `${JWT_BEGINNING}[A-Za-z0-9_\\-]{${JWT_HEADER_LEAST - JWT_BEGINNING.length},}${DOT}(?:[A-Za-z0-9_\\-]|${DOT})+`,
    keeps: false,
  },
  {
    name: 'a stream token or client secret of Sluice',
    pattern: `${either(...SECRET_PREFIXES)}[A-Za-z0-9_\\-]{${SECRET_LEAST},}`,
    keeps: false,
  },
];
