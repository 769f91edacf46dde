import type { AuthzenCalls } from '../../gate/permission/authzen-permission-checker.js';
import type { HubStats } from '../../hub/tally.js';
import type { LogStats } from '../../log/event-log.js';
import type { PublishStats } from '../../log/publisher.js';
import type { RedisStats } from '../../redis/redis.js';
import type { Vitals } from '../vitals.js';

/** What one scrape tells of: each part is asked once for it. */
export interface Snapshot {
  readonly hub: HubStats;
  readonly publish: PublishStats;
  /** `null` where the log cannot be asked. */
  readonly log: LogStats | null;
  readonly redis: RedisStats | null;
  readonly authzen: AuthzenCalls | null;
}

/** How long a scrape waits for the log: it tells of everything else too, and Prometheus gives up after 10 s. */
const PATIENCE_MS = 1_000;

/** The snapshot of the scrape that is under way. */
export type Now = () => Snapshot;

export async function takeSnapshot(vitals: Vitals): Promise<Snapshot> {
  // First, since it may have to be waited for.
  const log = await withPatience(vitals.eventLog.stats());
  return {
    hub: vitals.hub.stats,
    publish: vitals.publisher.stats,
    log,
    redis: vitals.redis?.stats ?? null,
    authzen: vitals.gate.authzen?.calls ?? null,
  };
}

/** `null` where it fails, or takes too long. */
async function withPatience<Value>(asked: Promise<Value>): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), PATIENCE_MS);
  });
  try {
    return await Promise.race([asked.catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}
