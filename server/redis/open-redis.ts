import { setTimeout as pause } from 'node:timers/promises';
import { placesOf, type RedisSettings } from '../config.js';
import { checkServer } from './check-server.js';
import { isFinal, reasonOf } from './failures.js';
import { QuietFailures } from './quiet-failures.js';
import type { Redis } from './redis.js';
import { SharedRedis } from './shared-redis.js';

const OPEN_MS = 10_000;
const LOOK_AGAIN_MS = 20;

export interface RedisOptions {
  readonly settings: RedisSettings;
  /** Told, now and then, why Redis cannot be reached. */
  readonly onFailure: (error: unknown) => void;
  /** How long the first connection may take. Default: 10 s. */
  readonly openMs?: number;
  /** Told, once, what is amiss with how Redis is set up. */
  readonly onWarning?: (warning: string) => void;
}

/** @throws Error if Redis cannot be reached, or refuses this service. */
export async function openRedis({
  settings,
  onFailure,
  openMs = OPEN_MS,
  onWarning = () => {},
}: RedisOptions): Promise<Redis> {
  const failures = new QuietFailures(onFailure);
  // While it is opened failures are not told of, but thrown.
  let last: unknown = null;
  let final: unknown = null;
  let isOpen = false;
  const redis = new SharedRedis({
    settings,
    onFailure: (error) => {
      if (isOpen) failures.tell(error);
      last = error;
      if (isFinal(error)) final ??= error;
    },
  });
  try {
    const endsAt = performance.now() + openMs;
    while (!redis.servers.isReady) {
      if (final !== null) throw new Error(reasonOf(final));
      if (performance.now() > endsAt) throw new Error(`cannot be reached (${reasonOf(last)})`);
      await pause(LOOK_AGAIN_MS);
    }
    // What SELECT refuses is told of, and yet the connection is there.
    if (final !== null) throw new Error(reasonOf(final));
    // Of a cluster, most servers say the same.
    const warnings = new Set<string>();
    for (const link of redis.servers.links) {
      await checkServer(link, settings, (warning) => warnings.add(warning));
      await link.verify();
    }
    if (settings.exposesPassword) {
      warnings.add(
        'the password of Redis passes a network without TLS: begin REDIS_URL with rediss',
      );
    }
    for (const warning of warnings) onWarning(warning);
    redis.start();
    isOpen = true;
    return redis;
  } catch (error) {
    await redis.close();
    throw new Error(`Redis at ${placesOf(settings.address)}: ${reasonOf(error)}`);
  }
}
