import { expect, it } from '@jest/globals';
import { Inbox, withResolvers } from '../../test/support/inbox.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';
import { readConfig } from '../config.js';
import { OneServer } from './servers.js';
import { Subscriptions } from './subscriptions.js';

const CHANNEL = 'sluice:c:{a}';

/** Subscriptions on connections of their own, without what would subscribe anew. */
async function subscribeAt(url: string) {
  const { redis: settings } = readConfig({ REDIS_URL: url });
  if (settings === null) throw new Error('no Redis is set');
  const ready = withResolvers<void>();
  const servers: OneServer = new OneServer(settings, {
    onReady: () => ready.resolve(),
    onBreak: () => {},
    onFailure: () => {},
    onMoved: () => {},
    onMessage: (channel, message) => subscriptions.tell(channel, message),
  });
  const subscriptions: Subscriptions = new Subscriptions(() => servers);
  await ready.promise;
  return {
    subscriptions,
    /** What was sent before has been answered. */
    settle: () => servers.linkOf().subscriber.send('PING'),
    [Symbol.asyncDispose]: async () => servers.close(),
  };
}

describeWith('redis-server', 'subscriptions', () => {
  it('stay for who comes while the answer to one who has gone is on its way', async () => {
    await using server = await RedisServer.start();
    await using at = await subscribeAt(server.url);
    const { subscriptions } = at;
    const told = new Inbox<string>('a message');
    const remove = subscriptions.add(CHANNEL, () => {});
    const first = subscriptions.send(CHANNEL);
    remove();
    subscriptions.add(CHANNEL, (message) => told.push(message.toString()));
    await Promise.all([first, subscriptions.send(CHANNEL)]);
    await at.settle();
    expect(await server.ask('SPUBLISH', CHANNEL, 'hello')).toBe(1);
    await told.find((message) => message === 'hello');
  });

  it('end when all have gone before the answer', async () => {
    await using server = await RedisServer.start();
    await using at = await subscribeAt(server.url);
    const { subscriptions } = at;
    const removals = [0, 1].map(() => {
      const remove = subscriptions.add(CHANNEL, () => {});
      const sent = subscriptions.send(CHANNEL);
      remove();
      return sent;
    });
    await Promise.all(removals);
    await at.settle();
    expect(await server.ask('SPUBLISH', CHANNEL, 'hello')).toBe(0);
  });
});
