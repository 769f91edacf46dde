import type { ServiceErrorCode } from '@sluice/protocol';
import type { Admissions } from '../gate/admission/admissions.js';
import type { AuthzenCalls } from '../gate/permission/authzen-permission-checker.js';
import type { Permissions } from '../gate/permission/permissions.js';
import type { RevocationList } from '../gate/revocation/revocation-list.js';
import type { KeySet } from '../gate/token/key-set.js';
import type { Hub } from '../hub/hub.js';
import type { EventLog } from '../log/event-log.js';
import type { Publisher } from '../log/publisher.js';
import type { Redis } from '../redis/redis.js';
import type { Log } from './log.js';
import type { StepTimes } from './step-times.js';

/** What a node needs to take streams. */
export interface Needs {
  readonly eventLog: Pick<EventLog, 'isAvailable'>;
  /** `null`: this is the only node. */
  readonly redis: Pick<Redis, 'isAvailable'> | null;
  /** Whether anybody could enter: the keys of at least one issuer are known. Where none are, they are asked for again. */
  areKeysKnown(): boolean;
}

/** What operators may know of a running service. */
export interface Vitals extends Needs {
  readonly hub: Pick<Hub, 'stats'>;
  readonly eventLog: Pick<EventLog, 'isAvailable' | 'stats'>;
  readonly publisher: Pick<Publisher, 'stats'>;
  readonly redis: Pick<Redis, 'isAvailable' | 'stats'> | null;
  /** Requests refused since the start, by their code. */
  readonly refusals: ReadonlyMap<ServiceErrorCode, number>;
  readonly gate: GateVitals;
  /** How many streams there may be. */
  readonly maxStreams: number;
  /** Lines that were lost since the start, where the log keeps count of them. */
  readonly log: Log & { readonly lostLines?: unknown };
  readonly audit: { readonly lostLines: number };
}

export interface GateVitals {
  readonly steps: Pick<StepTimes, 'read'>;
  /** Those that are trusted, as the settings name them. */
  readonly issuers: readonly { readonly issuer: string; readonly keys: Pick<KeySet, 'fetches'> }[];
  readonly permissions: Pick<Permissions, 'decisions'>;
  /** `null`: no decision point is asked. */
  readonly authzen: { readonly calls: AuthzenCalls } | null;
  readonly admissions: Pick<Admissions, 'failingRechecks'>;
  readonly revocations: Pick<RevocationList, 'count'>;
}

/** Where a service is between its start and its end. */
export type Phase = 'starting' | 'serving' | 'draining';

/** What keeps a node from taking streams. */
export type Obstacle = 'starting' | 'draining' | 'log' | 'redis' | 'keys';

/** Empty where the node is ready. */
export function obstaclesOf({ eventLog, redis, areKeysKnown }: Needs, phase: Phase): Obstacle[] {
  return [
    ...(phase === 'serving' ? [] : [phase]),
    ...(eventLog.isAvailable ? [] : (['log'] as const)),
    ...(redis === null || redis.isAvailable ? [] : (['redis'] as const)),
    ...(areKeysKnown() ? [] : (['keys'] as const)),
  ];
}
