/**
 * What a log must not hold, as data: the filter is built from it, and so are the recipes in ops/log-pipelines (`npm run docs`).
 * docs/scrub.md tells each of these rules to its reader.
 */

/**
 * Stands where a secret was. No character of it ends a value, none needs an escape in JSON, HTML or an URL's query, and no rule
 * finds it: what was scrubbed stays as it is when it is scrubbed again.
 */
export const MARK = '*scrubbed*';

/** Names of two words, joined by `_`, `-` or nothing; whatever stands before them (`x-access-token`) belongs to the name. */
export const TOKEN_WORDS = [
  'access',
  'stream',
  'refresh',
  'auth',
  'subject',
  'actor',
  'sluice',
  'authzen',
] as const;
/** Like those, but no letter or digit may stand before it: INVALID_TOKEN is an error's name. */
export const WHOLE_TOKEN_WORDS = ['id'] as const;
/** With the settings JWT_SECRET and ISSUER_KEY_SECRET. */
export const SECRET_WORDS = ['client', 'jwt', 'key'] as const;

/** Schemes after which the credentials stand, in the value of a header `Authorization`; the scheme itself stays. */
export const SCHEMES = [
  'basic',
  'bearer',
  'digest',
  'dpop',
  'negotiate',
  'ntlm',
  'oauth',
  'token',
  'apikey',
] as const;

/** Of those, what has parameters: they go up to the end of the header. So does what follows a scheme of another name. */
export const PARAMETER_SCHEMES: readonly string[] = ['digest', 'oauth', 'token', 'apikey'];

/** Schemes that are found without the header's name too, where a word that looks like credentials follows. */
export const BARE_SCHEMES = ['bearer', 'basic'] as const;
/** Such a word has this length at least, and a digit or a capital after a small letter in its beginning … */
export const BARE_LEAST = 9;
/** … or is as long as this. */
export const BARE_BEGINNING = 32;

/** `{"` in base64url. A JWS has two dots, a JWE four; what a log cut off may have one. */
export const JWT_BEGINNING = 'eyJ';
export const JWT_HEADER_LEAST = 10;
export const JWT_HEADER_MOST = 16_384;

/** What Sluice's own secrets begin with: one-time stream tokens, and secrets of clients of the embedded issuer. */
export const SECRET_PREFIXES = ['sst_', 'scs_'] as const;
/** Of the 43 characters after it. Whoever has 29 of them has 82 bits to guess. */
export const SECRET_LEAST = 30;

/** Ends a value that does not stand in quotes. Controls and the space do too. */
export const VALUE_ENDS = '"\'`<>&;,|(){}[]#\\';

/** How often a character may be percent-encoded over: `%61` is 1, `%2561` is 2. */
export const MOST_ENCODINGS = 6;
/** Backslashes before `"` or `u0026`: JSON in JSON in JSON in JSON. */
export const MOST_BACKSLASHES = 15;
/** Blanks between a name, its separator and its value. */
export const MOST_BLANKS = 16;
/** Colours of a terminal in a row, and what is in one of them. */
export const MOST_COLOURS = 4;
export const MOST_IN_COLOUR = 16;
/** Brackets behind a name (`access_token[0][]`), and what is in one of them. */
export const MOST_BRACKETS = 4;
export const MOST_IN_BRACKETS = 32;
