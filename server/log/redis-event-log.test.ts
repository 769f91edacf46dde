import { describeEventLog } from '../../test/contracts/event-log.contract.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { describeWith } from '../../test/support/tools.js';
import { type RetentionRules, readConfig } from '../config.js';
import { openRedis } from '../redis/open-redis.js';
import type { Redis } from '../redis/redis.js';
import type { EventLog } from './event-log.js';
import { RedisEventLog } from './redis-event-log.js';

describeWith('redis-server', 'a log in Redis', () => {
  describeEventLog('Redis', () => {
    let server: RedisServer;
    const redisOf = new Map<EventLog, Redis>();

    async function open(retention: RetentionRules): Promise<EventLog> {
      const { redis: settings } = readConfig({ REDIS_URL: server.url });
      if (settings === null) throw new Error('no Redis');
      const redis = await openRedis({ settings, onFailure: () => {} });
      const log = new RedisEventLog({ redis, retention, isDurable: true });
      redisOf.set(log, redis);
      return log;
    }
    async function close(log: EventLog): Promise<void> {
      await log.close();
      await redisOf.get(log)?.close();
    }

    return {
      open: async (retention) => {
        server = await RedisServer.start();
        return open(retention);
      },
      reopen: async (log, retention) => {
        await close(log);
        return open(retention);
      },
      dispose: async () => {
        for (const log of redisOf.keys()) await close(log);
        await server[Symbol.asyncDispose]();
      },
    };
  });
});
