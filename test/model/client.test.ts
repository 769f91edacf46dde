import { afterEach, beforeEach, describe, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { lives } from './steps.js';
import { type Setting, System } from './system.js';

/** Another seed or more runs look further: MODEL_SEED=7 MODEL_RUNS=5000. */
const SEED = Number(process.env['MODEL_SEED'] ?? 1);
const RUNS = Number(process.env['MODEL_RUNS'] ?? 400);

const settings: fc.Arbitrary<Setting> = fc.record({
  tokens: fc.constantFrom('static', 'provider', 'recipe'),
  suspendWhenHidden: fc.boolean(),
  maxAttempts: fc.constantFrom(null, null, null, 3),
  repeatsItself: fc.boolean(),
  clockAheadMs: fc.constantFrom(0, 3_600_000, -3_600_000),
  randomSeed: fc.integer(),
  closesAtOnce: fc.boolean(),
  fallsSilent: fc.boolean(),
});

describe('the client, whatever happens to it', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('loses no event, gives none twice, keeps one stream, and leaves nothing behind', async () => {
    const property = fc.asyncProperty(settings, lives, async (setting, life) => {
      jest.setSystemTime(Date.UTC(2026, 0, 1));
      jest.spyOn(Math, 'random').mockImplementation(randomFrom(setting.randomSeed));
      const system = new System(setting);
      try {
        await fc.asyncModelRun(() => ({ model: {}, real: system }), life);
        await system.conclude();
      } finally {
        system.dispose();
        jest.clearAllTimers();
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
  }, 120_000);
});

/** Numbers from 0 up to 1 that look random and are the same each time (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
