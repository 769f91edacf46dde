import { describe, expect, it } from '@jest/globals';
import { scrub } from '../../server/scrub/scrubber.js';
import { CORPUS, corpusTexts } from './corpus.js';
import { referenceScrub } from './reference.js';

describe('the filter', () => {
  it('has a line for each of many forms', () => {
    expect(CORPUS.length).toBeGreaterThanOrEqual(80);
    expect(new Set(CORPUS.map(({ name }) => name)).size).toBe(CORPUS.length);
  });

  it.each(CORPUS.map((line) => [line.name, line] as const))(
    'removes what is secret: %s',
    (_, line) => {
      const { text, expected } = corpusTexts(line);
      expect(scrub(text).toString('latin1')).toBe(expected.toString('latin1'));
      expect(referenceScrub(text.toString('latin1')).text).toBe(expected.toString('latin1'));
    },
  );

  it('keeps JSON valid, whatever stands for the token', () => {
    for (const value of [
      '1',
      '-1.5e3',
      '"a"',
      '"\\\\"',
      '"a\\"b"',
      'null',
      'true',
      '["a","b"]',
      '{"a":"b"}',
      '[1]',
      '""',
    ]) {
      const scrubbed = scrub(Buffer.from(`{"access_token":${value},"b":[${value}]}`)).toString();
      expect(() => JSON.parse(scrubbed)).not.toThrow();
      expect(JSON.parse(scrubbed)).toMatchObject({ b: [JSON.parse(value)] });
    }
  });
});
