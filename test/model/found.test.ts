import { afterEach, beforeEach, describe, it, jest } from '@jest/globals';
import { PLAIN, type Setting, System, settled } from './system.js';

const ALL = { topics: [], iterates: false };
const OF_ANOTHER_LOG = { ...ALL, lastEventId: 'ZZZZZZZZ-3' };
const SECRET = { topics: ['secret'], iterates: false };

/** At which turn of the queue of microtasks two things meet is not for a test to know: it tries them all. */
const TURNS = Array.from({ length: 12 }, (_, count) => count);

/** Lives in which the model has once found the client at fault, in the fewest steps. */
describe('what the model has found: a client', () => {
  let system: System;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  });
  afterEach(async () => {
    await system.conclude();
    system.dispose();
    jest.clearAllTimers();
    jest.useRealTimers();
  });

  function start(setting: Partial<Setting> = {}): void {
    system = new System({ ...PLAIN, ...setting });
  }

  async function subscribe(...wishes: Parameters<System['subscribe']>): Promise<void> {
    system.subscribe(...wishes);
    await settled();
    system.check();
  }

  /** A few turns of the queue of microtasks, and not all that follows. */
  async function turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await null;
  }

  it('keeps the others where they are when one of another epoch joins', async () => {
    start();
    await subscribe(ALL);
    system.service.publish('a.1');
    await settled();
    await subscribe(OF_ANOTHER_LOG);
    await subscribe(OF_ANOTHER_LOG);
  });

  it('loses nothing for one that comes from another epoch while others wait', async () => {
    start();
    for (let i = 0; i < 3; i++) system.service.publish('a.1');
    system.subscribe(OF_ANOTHER_LOG);
    await turns(1);
    await subscribe({ ...ALL, lastEventId: system.service.log.head });
  });

  it('tells of a gap also who joined a stream that had begun with one', async () => {
    start();
    await subscribe(OF_ANOTHER_LOG);
    await subscribe(ALL);
    system.page.putAway();
    system.service.publish('a.1');
    system.service.log.trim(0);
    system.page.bringBack();
    await settled();
  });

  it.each(TURNS)(
    'stays suspended, and closed, when that comes %i turns after something else',
    async (count) => {
      start({ closesAtOnce: true });
      system.subscribe(ALL);
      await turns(count);
      system.page.putAway();
      await settled();
      system.check();
      system.page.bringBack();
      await settled();
      system.service.drainStreams(0, null);
      await turns(count);
      system.page.putAway();
      await settled();
      system.check();
    },
  );

  it.each(TURNS)(
    'does not hold against others what was asked %i turns ago for one that has gone',
    async (count) => {
      start();
      system.subscribe(SECRET);
      await turns(count);
      system.subscribe(ALL);
      system.unsubscribe(0);
      await settled();
      system.check();
    },
  );

  it('asks for a token again when the last one has run out unused', async () => {
    start({ tokens: 'provider' });
    await subscribe(ALL);
    system.page.goOffline();
    system.service.revokeTokens();
    await settled();
    system.service.isReachable = false;
    system.service.cutStreams();
    await system.advance(400_000);
  });
});
