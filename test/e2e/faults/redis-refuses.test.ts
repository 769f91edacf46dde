import { expect, it, jest } from '@jest/globals';
import {
  openStream,
  publishUntilTaken,
  REDIS_DEADLINE_MS,
  startNodes,
  tryToPublish,
} from '../../support/nodes.js';
import { numbered } from '../../support/playground.js';
import { controlEventsOf, numbersOf, untilSeen } from '../../support/stream-records.js';
import { describeWith } from '../../support/tools.js';

const MARGIN_MS = 1_000;

/** Commands that make Redis refuse writes, and those that end it. */
const REFUSALS = [
  {
    name: 'is full',
    begin: [['CONFIG', 'SET', 'maxmemory', '1']],
    end: [['CONFIG', 'SET', 'maxmemory', '0']],
  },
  {
    // As after a fail-over that a node has not heard of.
    name: 'takes no writes, being a replica now,',
    begin: [['REPLICAOF', '127.0.0.1', '1']],
    end: [['REPLICAOF', 'NO', 'ONE']],
  },
  {
    name: 'asks for replicas that are not there',
    begin: [['CONFIG', 'SET', 'min-replicas-to-write', '1']],
    end: [['CONFIG', 'SET', 'min-replicas-to-write', '0']],
  },
] as const;

// On a busy machine processes take long to start.
jest.setTimeout(60_000);

describeWith('redis-server', 'a Redis that', () => {
  it.each(REFUSALS)(
    '$name makes publishing UNAVAILABLE in time and loses nothing',
    async ({ name, begin, end }) => {
      await using nodes = await startNodes();
      const { first, second, issuer, redis } = nodes;
      const token = issuer.mint();
      using live = await openStream(second.service, token);
      const { id: start = '' } = await live.next('stream.connected');
      const url = () => first.service.url;
      const before = await publishUntilTaken(url, token, numbered(1, 2));
      await untilSeen(live, before.cursors.at(-1));

      for (const command of begin) await redis.ask(...command);
      const refused = await tryToPublish(url(), token, numbered(3, 3));
      expect(refused).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
      expect(refused.tookMs).toBeLessThan(REDIS_DEADLINE_MS + MARGIN_MS);
      if (name === 'is full') {
        // What is read takes no room.
        using resumed = await openStream(second.service, token, { lastEventId: start });
        expect((await resumed.head).status).toBe(200);
        await untilSeen(resumed, before.cursors.at(-1));
      }

      for (const command of end) await redis.ask(...command);
      const after = await publishUntilTaken(url, token, numbered(4, 5));
      await untilSeen(live, after.cursors.at(-1));
      // It was refused, so it is nowhere.
      expect(numbersOf(live)).toEqual([1, 2, 4, 5]);
      expect(controlEventsOf(live)).toEqual(['stream.connected']);
    },
  );
});
