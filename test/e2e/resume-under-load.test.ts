import { describe, expect, it } from '@jest/globals';
import { firstBreak, numbered, numberOf, startPlayground } from '../support/playground.js';
import { subscribeWithSdk } from '../support/subscribers.js';

const EVENTS = 100_000;
const BATCH = 1_000;
const CUTS = 50;
const TEST_DEADLINE_MS = 240_000;

/** Numbers from 0 to 1 that are the same in every run, so that a failure can be had again. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('a client whose connection is cut fifty times while 100,000 events are published', () => {
  it(
    'receives every event exactly once, in order',
    async () => {
      await using playground = await startPlayground({
        env: { RETENTION_EVENTS: String(2 * EVENTS) },
      });
      const { proxy, token } = playground;
      const random = createRandom(20_260_102);
      // At least 5 KB, so that each connection gets somewhere; at most what two batches weigh, so that the publisher
      // below, which waits for a cut after each two, never waits in vain.
      proxy.cutAt = (connection) =>
        connection <= CUTS
          ? {
              bytes: 5_000 + Math.floor(random() * 250_000),
              how: connection % 2 === 0 ? 'fin' : 'rst',
            }
          : null;

      await using subscriber = await subscribeWithSdk({ url: proxy.url, token });
      await subscriber.connections.next();

      const batchesPerCut = EVENTS / BATCH / CUTS;
      for (let batch = 1; batch <= EVENTS / BATCH; batch++) {
        await playground.publish(numbered((batch - 1) * BATCH + 1, batch * BATCH));
        if (batch % batchesPerCut === 0) await proxy.cuts.atLeast(batch / batchesPerCut, 30_000);
      }
      await subscriber.events.find((event) => numberOf(event) === EVENTS, 60_000);

      const numbers = subscriber.events.items.map(numberOf);
      expect(firstBreak(numbers, 1)).toBeNull();
      expect(numbers).toHaveLength(EVENTS);
      expect(proxy.cuts.items).toHaveLength(CUTS);
      expect(subscriber.faults).toEqual([]);
    },
    TEST_DEADLINE_MS,
  );
});
