import { setTimeout as pause } from 'node:timers/promises';
import { placesOf, type RedisSettings } from '../config.js';
import { checkServer } from './check-server.js';
import { isFinal, plainReasonOf } from './failures.js';
import { QuietFailures } from './quiet-failures.js';
import type { Redis } from './redis.js';
import { SharedRedis } from './shared-redis.js';

const OPEN_MS = 10_000;
const LOOK_AGAIN_MS = 20;
/** After it, whoever waits for the service wants to know why. */
const PATIENCE_MS = 1_000;

export interface RedisOptions {
  readonly settings: RedisSettings;
  /** Told, now and then, why Redis cannot be reached. */
  readonly onFailure: (error: unknown) => void;
  /** How long the first connection may take. Default: 10 s. */
  readonly openMs?: number;
  /** Told, once, what is amiss with how Redis is set up. */
  readonly onWarning?: (warning: string) => void;
  /** Told, once, that the first connection takes its time, and what stands in the way. */
  readonly onWaiting?: (reason: string) => void;
}

/** @throws Error if Redis cannot be reached, or refuses this service. */
export async function openRedis({
  settings,
  onFailure,
  openMs = OPEN_MS,
  onWarning = () => {},
  onWaiting = () => {},
}: RedisOptions): Promise<Redis> {
  const failures = new QuietFailures(onFailure);
  const { usesTls } = settings.address;
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
    const startedAt = performance.now();
    let isWaitingTold = false;
    while (!redis.servers.isReady) {
      if (final !== null) throw final;
      const waitedMs = performance.now() - startedAt;
      if (waitedMs > openMs) throw new Error(unreachable(plainReasonOf(last, usesTls)));
      if (waitedMs > PATIENCE_MS && !isWaitingTold) {
        isWaitingTold = true;
        onWaiting(plainReasonOf(last, usesTls));
      }
      await pause(LOOK_AGAIN_MS);
    }
    // What SELECT refuses is told of, and yet the connection is there.
    if (final !== null) throw final;
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
    throw new Error(`Redis at ${placesOf(settings.address)}: ${plainReasonOf(error, usesTls)}`);
  }
}

/** The code first, what it means behind it. */
function unreachable(reason: string): string {
  const [code = '', ...hint] = reason.split(': ');
  return [`cannot be reached (${code})`, ...hint].join(': ');
}
