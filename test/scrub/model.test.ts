import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MARK } from '../../server/scrub/rules.js';
import { Scrubber, scrub } from '../../server/scrub/scrubber.js';
import { referenceScrub } from './reference.js';

const PIECES = [
  'access_token',
  'stream_token',
  'token',
  'client_secret',
  'Authorization',
  'ACCESS-TOKEN',
  'accessToken',
  'id_token',
  'valid_tok%65n',
  '%3Fi%64token',
  '%61ccess%5Ftoken',
  '%2561ccess_to%256ben',
  'access_to\\u006ben',
  '\\\\u0061ccess_token',
  'autho%72i%7Aation',
  '%63lient_se%63ret',
  'client%5fse\\u0063%72et',
  '%74oken',
  '&#116;oken',
  'tok&#101;n',
  'a\\x63cess_tok\\x65n',
  '=',
  '=',
  ':',
  '%3D',
  '%253D',
  '\\u003d',
  '&#61;',
  '=>',
  ' = ',
  ': ',
  '","',
  '"',
  "'",
  '\\"',
  '\\\\\\"',
  '%22',
  '&quot;',
  '\\x22',
  '\\',
  '\\\\',
  '\\/',
  "b'",
  '[',
  ']',
  '[0]',
  '%5B%5D',
  '["',
  '", "',
  '","',
  '{',
  '}',
  '{"',
  '(',
  ')',
  '&',
  ';',
  '%26',
  '%2526',
  '&amp;',
  '\\u0026',
  ',',
  '|',
  '#',
  '?',
  '%3F',
  ' ',
  '\t',
  '\n',
  '+',
  '%20',
  '%',
  '%25',
  '25',
  '%2',
  '\\u00',
  '\\u',
  '\\x',
  '&#',
  '&#x3d;',
  '&am',
  '\0',
  '\x80',
  'é',
  'Bearer ',
  'Basic ',
  'bearer%20',
  'Bearer',
  'basic',
  'DPoP ',
  'token ',
  'GNAP ',
  'Digest ',
  'Authorization: ',
  'a="',
  '="',
  '=\\"',
  '""',
  '\x1b',
  '\x1b[1;32m',
  '\\u001b[0m',
  '[0m',
  'of news',
  'abc',
  'x',
  '123',
  '-1',
  'null',
  'true',
  'abcDEF123',
  'dXNlcjpwYXNz',
  '*scrubbed*',
  '%2B',
  '%2F',
  'eyJ',
  'eyJhbGciOiJub25lIn0',
  '.',
  '..',
  '%2E',
  '%252e',
  '\\u002e',
  '&#46;',
  'e30',
  'ey',
  'e',
  'sst_',
  'scs_',
  'ss',
  'A'.repeat(29),
  'B'.repeat(31),
  '_',
  'a'.repeat(9),
];
const text = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 14 })
  .map((pieces) => Buffer.from(pieces.join('')));
/** Mostly what has the form of a finding, so that findings are not rare. */
const finding = fc
  .tuple(
    fc.constantFrom('', '?', 'x', '%3F', '"', '\\"', '&'),
    fc.constantFrom(...PIECES.slice(0, 19)),
    fc.constantFrom('', '[]', '%5B0%5D', '"', '""', '\\"', '%22', '&quot;', "'", '\x1b[m'),
    fc.constantFrom('=', ':', '%3D', '%253d', ': ', ' = ', '=>', '\\u003d', ','),
    fc.constantFrom(
      '',
      '"',
      '""',
      '\x1b[32m',
      'x ',
      '\\"',
      '\\\\\\"',
      '%22',
      '["',
      '[\\"',
      '{',
      '[',
    ),
    fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }),
  )
  .map((parts) => Buffer.from(parts.flat().join('')));
/** Headers without quotes, and what may be in one. */
const header = fc
  .tuple(
    fc.constantFrom(
      'Authorization: ',
      '"authorization:',
      'Authorization%3A',
      'Authorization:[',
      '\\x22authorization\\x22:\\x22',
    ),
    fc.constantFrom('GNAP ', 'GNAP%20', 'Digest ', 'Bearer ', 'x'),
    fc.array(
      fc.constantFrom(
        'a',
        '=',
        '="',
        '=\\"',
        '=\\\\\\"',
        '"',
        '\\"',
        '\\\\\\"',
        "'",
        '%22',
        '=%22',
        ', ',
        ';',
        '}',
        ']',
        ' ',
        '\\n',
        '\n',
        '%0a',
        '&quot;',
        '=&quot;',
      ),
      { maxLength: 10 },
    ),
  )
  .map((parts) => Buffer.from(parts.flat().join('')));
const texts = fc.oneof(
  header,
  text,
  finding,
  fc.tuple(finding, text).map(Buffer.concat),
  fc.uint8Array({ maxLength: 40 }).map(Buffer.from),
);
const RUNS = { numRuns: Number(process.env['SCRUB_RUNS'] ?? 700) };

/** The ways in which a letter may be written. */
function waysOf(letter: string): string[] {
  const cases = [letter, letter.toUpperCase()];
  const hexes = cases.map((char) => char.charCodeAt(0).toString(16));
  return [
    ...cases,
    ...hexes.flatMap((hex) => [`%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`, `\\u00${hex}`]),
  ];
}

/** A word with the letters of a part of it written in all ways. */
function writingsOf(word: string, part: string): string[] {
  const [before = '', after = ''] = word.split(part);
  const middles = [...part].reduce(
    (beginnings, letter) =>
      beginnings.flatMap((beginning) => waysOf(letter).map((way) => beginning + way)),
    [''],
  );
  return middles.map((middle) => before + middle + after);
}

function scrubInParts(whole: Buffer, cuts: readonly number[]) {
  const places: unknown[] = [];
  const scrubber = new Scrubber({ onFinding: (place) => places.push(place), countsLines: true });
  const ends = [...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
  let from = 0;
  const outputs = ends.map((end) => {
    const part = Buffer.from(scrubber.push(whole.subarray(from, end)));
    from = end;
    return part;
  });
  return { text: Buffer.concat([...outputs, scrubber.end()]).toString('latin1'), places };
}

describe('the filter', () => {
  it('does what the slow reference does', () => {
    fc.assert(
      fc.property(texts, (whole) => {
        let count = 0;
        const output = scrub(whole, { onFinding: () => count++ }).toString('latin1');
        expect({ text: output, count }).toEqual(referenceScrub(whole.toString('latin1')));
      }),
      RUNS,
    );
  });

  // The letter that a name is found by, and those whose bytes tell whether it is worth a look.
  it.each([
    ['access_token', 'toke'],
    ['client_secret', 'secr'],
    ['authorization', 'riza'],
  ])('finds %s, however %s is written in it', (word, part) => {
    const text = writingsOf(word, part)
      .map((writing) => `${writing}=a\n`)
      .join('');
    expect(scrub(Buffer.from(text)).toString()).toBe(text.replaceAll('=a\n', `=${MARK}\n`));
  });

  it('does the same however the text is cut', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(), { maxLength: 8 }), (whole, cuts) => {
        const once = scrubInParts(whole, []);
        expect(scrubInParts(whole, cuts)).toEqual(once);
        expect(scrubInParts(whole, [...whole.keys()])).toEqual(once);
      }),
      RUNS,
    );
  });

  it('leaves what was scrubbed as it is', () => {
    fc.assert(
      fc.property(texts, (whole) => {
        const once = scrub(whole);
        let count = 0;
        const twice = scrub(once, { onFinding: () => count++ });
        expect({ text: twice.toString('latin1'), count }).toEqual({
          text: once.toString('latin1'),
          count: 0,
        });
      }),
      RUNS,
    );
  });
});
