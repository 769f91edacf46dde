import { describe, expect, it } from '@jest/globals';
import { Scrubber, type SecretPlace } from '../../server/scrub/scrubber.js';
import { sampleLog } from './sample-log.js';

/** Bytes looked at again for each byte of the text, and the most that was held back. */
function measure(text: Buffer, part: number) {
  const scrubber = new Scrubber();
  let held = 0;
  for (let from = 0; from < text.length; from += part) {
    scrubber.push(text.subarray(from, from + part));
    held = Math.max(held, scrubber.held);
  }
  scrubber.end();
  return { ratio: scrubber.rechecked / text.length, held };
}

describe('the filter', () => {
  it('looks at few bytes of a log more than once', () => {
    expect(measure(sampleLog(4_000_000), 65_536).ratio).toBeLessThan(0.013);
  });

  it.each([777, 65_536])('tells lines and columns of a log that comes in parts of %i', (part) => {
    const log = sampleLog(400_000);
    const places: SecretPlace[] = [];
    const onFinding = (place: SecretPlace) => places.push(place);
    const scrubber = new Scrubber({ onFinding, countsLines: true, isCheck: true });
    for (let from = 0; from < log.length; from += part) {
      expect(scrubber.push(log.subarray(from, from + part)).length).toBe(0);
    }
    scrubber.end();
    expect(places.length).toBeGreaterThan(50);
    for (const { offset, line, column } of places) {
      const lines = log.toString('latin1', 0, offset).split('\n');
      expect({ line, column }).toEqual({
        line: lines.length,
        column: (lines.at(-1)?.length ?? 0) + 1,
      });
    }
  });

  it.each([
    'eyJ',
    'eyJ_',
    'sst_',
    'Bearer a',
    'access_token',
    'access_token[[',
    '\\',
    '%25',
    '%6b',
    'token=',
    'authorization: a ',
    'authorization: a ="',
    'access_token=\x1b[m',
    'a',
  ])('works and holds in proportion, whatever comes: %j again and again', (piece) => {
    const { ratio, held } = measure(Buffer.from(piece.repeat(2_000_000 / piece.length)), 65_536);
    expect(ratio).toBeLessThan(20);
    expect(held).toBeLessThan(20_000);
  });
});
