import { afterAll, beforeAll, describe, jest } from '@jest/globals';
import type { RetentionRules } from '../../server/config.js';
import type { EventLog } from '../../server/log/event-log.js';
import { RedisEventLog } from '../../server/log/redis-event-log.js';
import { makeCertificates } from '../support/certificates.js';
import { openTestRedis, type TestRedis } from '../support/open-test-redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { RedisSentinels } from '../support/redis-sentinels.js';
import { RedisServer } from '../support/redis-server.js';
import { describeWith } from '../support/tools.js';
import { describeEventLog, type EventLogDriver } from './event-log.contract.js';

jest.setTimeout(30_000);

/** A Redis that is kept for all tests, and emptied before each. */
interface Place extends AsyncDisposable {
  readonly url: string;
  readonly settings: Readonly<Record<string, string>>;
  empty(): Promise<void>;
}

/** What docs/configuration.md names as enough. */
const RIGHTS =
  '~sluice:* &sluice:* +@read +@write +@pubsub +@connection +eval +evalsha +time +wait -@dangerous +info +cluster|slots +cluster|info';

async function secured(): Promise<Place> {
  const tls = await makeCertificates();
  const server = await RedisServer.start({ tls, users: [`app on >s3cret ${RIGHTS}`] });
  return {
    url: server.url.replace('//', '//app:s3cret@'),
    settings: { REDIS_CA_FILE: tls.caFile },
    empty: async () => void (await server.ask('FLUSHALL')),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await tls[Symbol.asyncDispose]();
    },
  };
}

async function watched(): Promise<Place> {
  const sentinels = await RedisSentinels.start();
  return {
    url: sentinels.url,
    settings: { REDIS_MIN_REPLICAS: '1' },
    empty: async () => void (await (await sentinels.primary()).ask('FLUSHALL')),
    [Symbol.asyncDispose]: () => sentinels[Symbol.asyncDispose](),
  };
}

async function sharded(): Promise<Place> {
  const cluster = await RedisCluster.start();
  return {
    url: cluster.url,
    settings: {},
    empty: async () => {
      await Promise.all(cluster.servers.map((server) => server.ask('FLUSHALL')));
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

function driverOf(place: () => Place): EventLogDriver {
  const redisOf = new Map<EventLog, TestRedis>();

  async function open(retention: RetentionRules): Promise<EventLog> {
    const { url, settings } = place();
    const opened = await openTestRedis(url, settings);
    const log = new RedisEventLog({ redis: opened.redis, retention, isDurable: true });
    redisOf.set(log, opened);
    return log;
  }
  async function close(log: EventLog): Promise<void> {
    await log.close();
    await redisOf.get(log)?.[Symbol.asyncDispose]();
  }

  return {
    open: async (retention) => {
      await place().empty();
      return open(retention);
    },
    reopen: async (log, retention) => {
      await close(log);
      return open(retention);
    },
    dispose: async () => {
      for (const log of redisOf.keys()) await close(log);
    },
  };
}

describeWith('redis-sentinel', 'the log in Redis', () => {
  describe.each([
    { name: 'Redis over TLS, as a user with few rights,', start: secured },
    { name: 'Redis behind Sentinels, with replicas waited for,', start: watched },
    { name: 'a Redis Cluster', start: sharded },
  ])('in $name', ({ name, start }) => {
    let place: Place;

    beforeAll(async () => {
      place = await start();
    });
    afterAll(async () => {
      await place[Symbol.asyncDispose]();
    });

    describeEventLog(name, () => driverOf(() => place));
  });
});
