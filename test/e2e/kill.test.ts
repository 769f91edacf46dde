import { describe, expect, it } from '@jest/globals';
import { eventsPath, parseCursor } from '@sluice/protocol';
import {
  numbered,
  numberOf,
  type Playground,
  type Published,
  publish,
  startPlayground,
  WORKSPACE,
} from '../support/playground.js';
import { RawStream } from '../support/raw-http.js';
import { subscribeWithSdk } from '../support/subscribers.js';

const ROUNDS = 3;
const PUBLISHERS = 8;
const BATCH = 20;
/** Batches that are acknowledged in a round before the service is killed in the midst of the next ones. */
const BATCHES_BEFORE_KILL = 60;
const TEST_DEADLINE_MS = 120_000;
const MARKER = 1_000_000_000;

describe('a service that is killed while events are published', () => {
  it(
    'has every acknowledged event afterwards, and its clients resume over the restart',
    async () => {
      await using playground = await startPlayground();
      const { service, proxy, token } = playground;
      const start = await headOf(playground);
      await using subscriber = await subscribeWithSdk({ url: proxy.url, token });
      await subscriber.connections.next();

      const acknowledged = new Map<number, Published>();
      for (let round = 0; round < ROUNDS; round++) {
        await publishUntilKilled(playground, round, acknowledged);
        await service.start();
        expect(await subscriber.connections.next()).toMatchObject({ resumed: 'complete' });
      }
      expect(acknowledged.size).toBeGreaterThanOrEqual(ROUNDS * BATCHES_BEFORE_KILL * BATCH);
      const [marker] = await playground.publish(numbered(MARKER, MARKER));

      // What is there now, read by somebody who was not there before.
      using reader = await RawStream.open(streamRequest(playground, start));
      expect((await reader.next('stream.connected')).data).toMatchObject({ resumed: 'complete' });
      const last = await reader.received.find(
        (item) => item.kind === 'event' && item.id === marker?.cursor,
        30_000,
      );
      expect(last).toBeDefined();
      const history = reader.received.items.flatMap((item) =>
        item.kind === 'event' && item.event === 'message'
          ? [{ cursor: item.id, event: JSON.parse(item.data) as { id: string; data: unknown } }]
          : [],
      );

      const byNumber = new Map(history.map((entry) => [numberOf(entry.event), entry]));
      expect(byNumber.size).toBe(history.length);
      const missing = [...acknowledged].filter(([number, { id, cursor }]) => {
        const entry = byNumber.get(number);
        return entry?.cursor !== cursor || entry.event.id !== id;
      });
      expect(missing).toEqual([]);

      const offsets = history.map(({ cursor }) => parseCursor(cursor ?? '')?.offset);
      expect(offsets).toEqual(history.map((_, index) => index + 1));

      // The client that was there all along has seen the very same, acknowledged or not.
      await subscriber.events.find((event) => event.id === marker?.id, 30_000);
      expect(subscriber.events.items.map(({ id }) => id)).toEqual(
        history.map(({ event }) => event.id),
      );
      expect(subscriber.faults).toEqual([]);
    },
    TEST_DEADLINE_MS,
  );
});

/** Publishes from several sides at once; resolves when the service is dead and every publisher has noticed. */
async function publishUntilKilled(
  { service, token }: Playground,
  round: number,
  acknowledged: Map<number, Published>,
): Promise<void> {
  let batches = 0;
  let killing: Promise<unknown> | null = null;
  const runPublisher = async (publisher: number) => {
    for (let from = round * 10_000_000 + publisher * 1_000_000; ; from += BATCH) {
      let answers: readonly Published[];
      try {
        answers = await publish(service.url, token, numbered(from, from + BATCH - 1));
      } catch (error) {
        if (killing !== null) return;
        throw error;
      }
      for (const [index, answer] of answers.entries()) acknowledged.set(from + index, answer);
      if (++batches === BATCHES_BEFORE_KILL) killing = service.kill();
    }
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, (_, index) => runPublisher(index)));
  await killing;
}

/** The cursor that stands at the end of the history now. */
async function headOf(playground: Playground): Promise<string> {
  using stream = await RawStream.open(streamRequest(playground));
  const { id } = await stream.next('stream.connected');
  expect(parseCursor(id ?? '')).toMatchObject({ offset: 0 });
  return id ?? '';
}

function streamRequest({ service, token }: Playground, lastEventId?: string) {
  return {
    port: service.port,
    path: eventsPath(WORKSPACE),
    headers: [
      ['Authorization', `Bearer ${token}`] as const,
      ...(lastEventId === undefined ? [] : [['Last-Event-ID', lastEventId] as const]),
    ],
  };
}
