import { createHash } from 'node:crypto';
import type { AdmissionLimits } from '../../config.js';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import type { Redis } from '../../redis/redis.js';
import { subjectKey } from '../principal.js';
import { full, type Occupant } from './places.js';
import { NodeLease, RENEW_INTERVAL_MS } from './redis/node-lease.js';
import { isOfOneKey } from './redis/one-key.js';
import { COUNT } from './redis/places-scripts.js';
import { SharedCounts } from './redis/shared-counts.js';
import type { SharedPlaces } from './shared-places.js';

/** What was given back is gathered for so long before the others are told. */
const GIVE_MS = 50;
/** How long a count stands that is not said again, and how often it is. */
const COUNT_KEPT_MS = 7_200_000;
const SAY_AGAIN_MS = 1_800_000;
/** How long an empty count is kept. */
const EMPTY_KEPT_MS = 60_000;

export interface RedisSharedPlacesOptions {
  readonly redis: Redis;
  readonly limits: Pick<AdmissionLimits, 'maxStreamsPerSubject' | 'maxStreamsPerWorkspace'>;
}

/** Places that are counted in Redis. A node that dies loses its places when its lease ends. */
export class RedisSharedPlaces implements SharedPlaces {
  private readonly redis: Redis;
  private readonly limits: RedisSharedPlacesOptions['limits'];
  private readonly lease: NodeLease;
  private readonly bySubject: SharedCounts;
  private readonly byWorkspace: SharedCounts;
  private readonly timers: NodeJS.Timeout[];
  private giving: NodeJS.Timeout | null = null;
  private sequence = 0;
  private isClosed = false;

  private constructor({ redis, limits }: RedisSharedPlacesOptions) {
    this.redis = redis;
    this.limits = limits;
    this.lease = new NodeLease(redis, () => this.doubtAll());
    const { maxStreamsPerSubject, maxStreamsPerWorkspace } = limits;
    this.bySubject = this.countsOf('subject', maxStreamsPerSubject);
    this.byWorkspace = this.countsOf('workspace', maxStreamsPerWorkspace);
    redis.onRestored(() => this.sayAgain());
    this.timers = [
      setInterval(() => void this.renew(), RENEW_INTERVAL_MS).unref(),
      setInterval(() => this.doubtAll(), SAY_AGAIN_MS).unref(),
    ];
  }

  /** @throws SluiceError UNAVAILABLE */
  static async open(options: RedisSharedPlacesOptions): Promise<RedisSharedPlaces> {
    const places = new RedisSharedPlaces(options);
    try {
      await places.lease.renew();
      return places;
    } catch (error) {
      await places.close();
      throw error;
    }
  }

  /** How many counts are kept: none for what nobody occupies. */
  get countsKept(): number {
    return this.bySubject.size + this.byWorkspace.size;
  }

  async take(occupant: Occupant): Promise<void> {
    if (this.isClosed) throw unavailable();
    const subject = nameOf(occupant);
    if (this.countsSubjects && !(await this.bySubject.take(subject))) throw full('The subject');
    try {
      if (!this.countsWorkspaces || (await this.byWorkspace.take(occupant.workspace))) return;
      throw full('The workspace');
    } catch (error) {
      if (this.countsSubjects) this.bySubject.give(subject);
      this.settleSoon();
      throw error;
    }
  }

  give(occupant: Occupant): void {
    if (this.countsSubjects) this.bySubject.give(nameOf(occupant));
    if (this.countsWorkspaces) this.byWorkspace.give(occupant.workspace);
    this.settleSoon();
  }

  /** Resolves when all nodes can know what this one holds. @throws SluiceError UNAVAILABLE */
  async settle(): Promise<void> {
    await this.byWorkspace.settle();
    await this.bySubject.settle();
  }

  /** Renews the lease, and tells what could not be told before. */
  async renew(): Promise<void> {
    try {
      await this.lease.renew();
      await this.settle();
    } catch {
      // Tried again with the next renewal. Nobody is let in until then.
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const timer of this.timers) clearInterval(timer);
    if (this.giving !== null) clearTimeout(this.giving);
    // Without it the lease ends by itself.
    await this.lease.retire().catch(() => {});
  }

  private get countsSubjects(): boolean {
    return this.limits.maxStreamsPerSubject !== null;
  }

  private get countsWorkspaces(): boolean {
    return this.limits.maxStreamsPerWorkspace !== null;
  }

  private countsOf(kind: 'subject' | 'workspace', limit: number | null): SharedCounts {
    return new SharedCounts(async (name, held, wanted) => {
      await this.lease.hold();
      const reply = await this.redis.run(
        COUNT,
        [this.redis.key('places', name, kind)],
        [
          this.lease.name,
          held,
          wanted,
          limit ?? 0,
          ++this.sequence,
          COUNT_KEPT_MS,
          EMPTY_KEPT_MS,
          ...this.lease.dead,
        ],
      );
      if (reply === -1) throw unavailable();
      return Number(reply);
    });
  }

  /** After a break: another Redis may have taken the place of the one that knew. */
  private async sayAgain(): Promise<void> {
    if (this.isClosed) return;
    try {
      await this.lease.renew();
    } catch (error) {
      // The streams that are open do not need it.
      if (!isOfOneKey(error)) throw error;
    }
    this.doubtAll();
    await this.settle();
  }

  private doubtAll(): void {
    this.byWorkspace.doubtAll();
    this.bySubject.doubtAll();
  }

  private settleSoon(): void {
    if (this.giving !== null || this.isClosed) return;
    this.giving = setTimeout(() => {
      this.giving = null;
      // What fails is told with the next renewal.
      this.settle().catch(() => {});
    }, GIVE_MS).unref();
  }
}

/** Subjects have names of any length, and some are addresses of people. */
function nameOf(occupant: Occupant): string {
  return createHash('sha256').update(subjectKey(occupant)).digest('base64url');
}

function unavailable(): SluiceError {
  return new SluiceError('UNAVAILABLE', undefined, { retryAfterMs: spreadRetryMs(2_000) });
}
