import type { ServiceErrorCode } from '@sluice/protocol';
import type { Hub } from '../hub/hub.js';
import type { EventLog } from '../log/event-log.js';
import type { Publisher } from '../log/publisher.js';
import type { Redis } from '../redis/redis.js';

/** What operators may know of a running service. */
export interface Vitals {
  readonly hub: Pick<Hub, 'stats'>;
  readonly eventLog: Pick<EventLog, 'isAvailable' | 'stats'>;
  readonly publisher: Pick<Publisher, 'published'>;
  /** `null`: this is the only node. */
  readonly redis: Pick<Redis, 'isAvailable'> | null;
  /** Requests refused since the start, by their code. */
  readonly refusals: ReadonlyMap<ServiceErrorCode, number>;
  /** Whether anybody could enter: the keys of at least one issuer are known. Where none are, they are asked for again. */
  areKeysKnown(): boolean;
}

/** Where a service is between its start and its end. */
export type Phase = 'starting' | 'serving' | 'draining';

/** What keeps a node from taking streams. */
export type Obstacle = 'starting' | 'draining' | 'log' | 'redis' | 'keys';

/** Empty where the node is ready. */
export function obstaclesOf({ eventLog, redis, areKeysKnown }: Vitals, phase: Phase): Obstacle[] {
  return [
    ...(phase === 'serving' ? [] : [phase]),
    ...(eventLog.isAvailable ? [] : (['log'] as const)),
    ...(redis === null || redis.isAvailable ? [] : (['redis'] as const)),
    ...(areKeysKnown() ? [] : (['keys'] as const)),
  ];
}
