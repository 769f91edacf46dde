import { expect, it } from '@jest/globals';
import { event } from '../../../test/contracts/event-log.contract.js';
import { LogWatch, openRedisLog, overriding } from '../../../test/support/redis-log.js';
import { RedisServer } from '../../../test/support/redis-server.js';
import { describeWith } from '../../../test/support/tools.js';
import { until } from '../../../test/support/until.js';
import type { Redis } from '../../redis/redis.js';

/** A Redis behind which something else is restored first, for as long as a test wants. */
function withSomethingFirst(redis: Redis, first: () => Promise<void>): Redis {
  redis.onRestored(first);
  return overriding(redis, {});
}

describeWith('redis-server', 'a log in Redis after a break', () => {
  it('gives out no event, neither live nor of its history, before what was named before it is restored', async () => {
    await using server = await RedisServer.start();
    await using publisher = await openRedisLog(server.url);
    const order: string[] = [];
    let goOn = () => {};
    const first = () =>
      new Promise<void>((resolve) => {
        order.push('begun');
        goOn = () => {
          order.push('restored');
          resolve();
        };
      });
    await using node = await openRedisLog(server.url, {
      wrap: (redis) => withSomethingFirst(redis, first),
    });
    const watch = await LogWatch.on(node.log, 'acme');
    const { epoch } = await publisher.log.append('acme', [event(1)]);
    await watch.reaches(node.log, 'acme');

    await server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('it is being restored', () => order.length > 0);
    // Its messages come again by now.
    await until('it is taken', () => publisher.log.append('acme', [event(2)]));
    await expect(
      node.log.read('acme', { epoch, offset: 0 }, { maxEntries: 9, maxBytes: 9_999 }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(watch.cursors).toEqual([`${epoch}-1`]);

    goOn();
    await until('it has come', () => watch.cursors.length === 2);
    expect(watch).toMatchObject({ faults: [], breaks: [] });
  }, 30_000);
});
