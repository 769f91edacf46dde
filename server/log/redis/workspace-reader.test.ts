import { describe, expect, it } from '@jest/globals';
import { event } from '../../../test/contracts/event-log.contract.js';
import { withResolvers } from '../../../test/support/inbox.js';
import { until } from '../../../test/support/until.js';
import type { LogExtent } from '../event-log.js';
import { decodeNotification, encodeEvent } from './entry-text.js';
import { WorkspaceReader } from './workspace-reader.js';

const EPOCH = '00000000';

/** The message that tells of one event. */
const message = (offset: number, json = JSON.stringify({ n: offset })) =>
  Buffer.from(`${EPOCH} ${offset - 1} ${offset} 1\n${encodeEvent({ ...event(offset), json })}`);
const entry = (offset: number) => decodeNotification(message(offset)).entries;

/** A log whose reading waits for the test, and a follower of it. */
async function setUp() {
  const log = { head: 0, oldest: 0 };
  const told: (number | string)[] = [];
  let gate: Promise<void> = Promise.resolve();
  const extent = (): LogExtent => ({ epoch: EPOCH, ...log });
  const reader = await WorkspaceReader.open({
    extent: async () => {
      const seen = extent();
      await gate;
      return seen;
    },
    read: async (_, after) => {
      const from = Math.max(after, log.oldest) + 1;
      const entries = Array.from({ length: log.head - from + 1 }, (_, n) => entry(from + n)).flat();
      return { extent: extent(), entries };
    },
  });
  reader.add({
    onEntries: (entries) => told.push(...entries.map(({ offset }) => offset)),
    onBreak: ({ head }) => told.push(`broken at ${head}`),
  });
  /** What is asked from now on is answered when the returned function is called. */
  const holdAnswers = () => {
    const held = withResolvers<void>();
    gate = held.promise;
    return (error?: Error) => {
      gate = Promise.resolve();
      if (error === undefined) held.resolve();
      else held.reject(error);
    };
  };
  return { log, reader, told, holdAnswers };
}

describe('the reader of a workspace in Redis', () => {
  it('comes to an end with catching up while messages go on coming', async () => {
    const { log, reader, told, holdAnswers } = await setUp();
    const answer = holdAnswers();
    log.head = 2;
    const caughtUp = reader.catchUp();
    for (let offset = 3; offset <= 50; offset++) {
      log.head = offset;
      reader.onMessage(message(offset));
    }
    answer();
    await caughtUp;
    expect(told).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  });

  it('reads on where a message was lost while it caught up', async () => {
    const { log, reader, told, holdAnswers } = await setUp();
    const answer = holdAnswers();
    const caughtUp = reader.catchUp();
    log.head = 5;
    reader.onMessage(message(1));
    reader.onMessage(message(5));
    answer();
    await caughtUp;
    expect(told).toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps no more messages than it may while it catches up, and reads them instead', async () => {
    const { log, reader, told, holdAnswers } = await setUp();
    const answer = holdAnswers();
    const caughtUp = reader.catchUp();
    const large = JSON.stringify('x'.repeat(600_000));
    for (let offset = 1; offset <= 2; offset++) {
      log.head = offset;
      reader.onMessage(message(offset, large));
    }
    answer();
    await caughtUp;
    expect(told).toEqual([1, 2]);
  });

  it('goes on with what has come where catching up has failed', async () => {
    const { log, reader, told, holdAnswers } = await setUp();
    const answer = holdAnswers();
    const caughtUp = reader.catchUp();
    log.head = 3;
    reader.onMessage(message(1));
    reader.onMessage(message(3));
    answer(new Error('Redis is away'));
    await expect(caughtUp).rejects.toThrow('Redis is away');
    await until('it has read what was lost', () => told.length === 3);
    expect(told).toEqual([1, 2, 3]);
  });

  it('says that there is no going on where what it lacks is gone', async () => {
    const { log, reader, told } = await setUp();
    log.head = 9;
    log.oldest = 7;
    await reader.catchUp();
    reader.onMessage(message(9));
    reader.onMessage(message(10));
    expect(told).toEqual(['broken at 9', 10]);
  });
});
