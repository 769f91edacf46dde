import type { Vitals } from '../vitals.js';
import type { MetricSet } from './metric-set.js';
import type { Now } from './snapshot.js';

const NO_TIMES = { buckets: [], count: 0, sum: 0 };

/** Of a node among others. */
export function addRedisMetrics(add: MetricSet, { redis }: Vitals, now: Now): void {
  if (redis === null) return;
  add.gauge('redis_available', 'Whether Redis can be reached.', () => Number(redis.isAvailable));
  add.histogram(
    'redis_command_seconds',
    'What commands to Redis take, further tries included.',
    () => now().redis?.commands ?? NO_TIMES,
  );
  add.gauge(
    'redis_commands_waiting',
    'Commands to Redis without an answer.',
    () => now().redis?.waiting ?? null,
  );
  add.counter(
    'redis_breaks_total',
    'How often messages or commands may have been lost, and all was restored.',
    () => now().redis?.breaks ?? 0,
  );
  add.gauge(
    'redis_lag_seconds',
    'What a question takes on the connection that brings events: no event came later than that.',
    () => {
      const lagMs = now().redis?.lagMs ?? null;
      return lagMs === null ? null : lagMs / 1_000;
    },
  );
}
