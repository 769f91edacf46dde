import { readConfig } from '../../server/config.js';
import { openRedis } from '../../server/redis/open-redis.js';
import type { Redis } from '../../server/redis/redis.js';
import { script } from '../../server/redis/script.js';
import { Inbox } from './inbox.js';
import { until } from './until.js';

/** A connection of the service to a Redis. Use it with `await using`. */
export interface TestRedis extends AsyncDisposable {
  readonly redis: Redis;
  readonly failures: Inbox<unknown>;
  readonly warnings: readonly string[];
  /** Waits until it is available, or is not. */
  becomes(state: 'available' | 'away', deadlineMs?: number): Promise<void>;
}

export async function openTestRedis(
  url: string,
  settings: Readonly<Record<string, string>> = {},
  openMs?: number,
): Promise<TestRedis> {
  const { redis: read } = readConfig({ REDIS_URL: url, ...settings });
  if (read === null) throw new Error('no Redis is set');
  const failures = new Inbox<unknown>('a failure of Redis');
  const warnings: string[] = [];
  const redis = await openRedis({
    settings: read,
    ...(openMs !== undefined && { openMs }),
    onFailure: (error) => failures.push(error),
    onWarning: (warning) => warnings.push(warning),
  });
  return {
    redis,
    failures,
    warnings,
    becomes: async (state, deadlineMs) => {
      const isAvailable = state === 'available';
      await until(`Redis is ${state}`, () => redis.isAvailable === isAvailable, deadlineMs);
    },
    [Symbol.asyncDispose]: () => redis.close(),
  };
}

/** Adds one to a counter, and answers with its new value. */
export const COUNT = script("return redis.call('INCR', KEYS[1])");
/** Tells a channel. */
export const TELL = script("return redis.call('SPUBLISH', KEYS[1], ARGV[1])");
