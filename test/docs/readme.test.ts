import { describe, expect, it } from '@jest/globals';
import { Service } from '../support/service.js';
import { describeWith } from '../support/tools.js';
import { checkTypes, findExamples } from './examples.js';
import { codeBlocks, readDocument } from './markdown.js';
import { runTour } from './tour.js';

const TOUR_DEADLINE_MS = 120_000;
const COMPILE_DEADLINE_MS = 60_000;

describeWith('curl', 'the tour in README.md', () => {
  it(
    'does what it says',
    async () => {
      const tour = codeBlocks(readDocument('README.md'))
        .filter(({ marks, language }) => marks.includes('tour') && language === 'sh')
        .map(({ code }) => code)
        .join('');
      await using service = await Service.start();
      const { subscribers, publications } = await runTour(tour, service);
      // By the command, by curl with the token in the address, and by curl with the header.
      expect(subscribers.length).toBeGreaterThanOrEqual(3);
      expect(publications.length).toBeGreaterThanOrEqual(1);
    },
    TOUR_DEADLINE_MS,
  );
});

const { whole, fragments } = findExamples();

describe(`the examples in README.md and docs (${whole.length}, and ${fragments.length} fragments left out)`, () => {
  it('are there', () => {
    expect(whole.length).toBeGreaterThan(0);
  });

  it(
    'pass the compiler',
    async () => {
      expect(await checkTypes(whole)).toEqual([]);
    },
    COMPILE_DEADLINE_MS,
  );
});
