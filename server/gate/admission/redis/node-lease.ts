import { randomBytes } from 'node:crypto';
import type { Redis } from '../../../redis/redis.js';
import { RENEW, RETIRE } from './places-scripts.js';

/** How long a node that has fallen silent counts as alive, and its streams as open. */
const LEASE_MS = 10_000;
export const RENEW_INTERVAL_MS = 2_000;
/** Nobody has renewed for that long: it was Redis that was away. */
const SILENCE_MS = 3 * RENEW_INTERVAL_MS;
/** How long the dead are listed. Counts that nobody has touched by then are old enough to be dropped for that. */
const DEAD_LISTED_MS = 3_600_000;
const MAX_DEAD_LISTED = 1_000;
/** Before its end the lease is not relied on: what is sent then may arrive too late. */
const MARGIN_MS = 2_000;

/** This node's name among those that count together, for as long as it is known to be alive. */
export class NodeLease {
  #name = newName();
  #dead: readonly string[] = [];
  /** By the clock of `performance`. */
  #reliableUntil = 0;
  #renewing: Promise<void> | null = null;

  /** @param onNew told when nothing is known of what was said under the name, or a former one, before. */
  constructor(
    private readonly redis: Redis,
    private readonly onNew: () => void,
  ) {}

  get name(): string {
    return this.#name;
  }

  /** Those whose leases have ended, newest first. */
  get dead(): readonly string[] {
    return this.#dead;
  }

  /** Resolves when the lease holds. @throws SluiceError UNAVAILABLE */
  async hold(): Promise<void> {
    if (performance.now() >= this.#reliableUntil) await this.renew();
  }

  /** One renewal at a time, however many ask for it. @throws SluiceError UNAVAILABLE */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  /** Ends the lease. @throws SluiceError UNAVAILABLE */
  async retire(): Promise<void> {
    await this.redis.run(RETIRE, [this.redis.key('places', 'nodes')], [this.#name]);
  }

  async #renew(): Promise<void> {
    for (;;) {
      const askedAt = performance.now();
      const [outcome, dead] = await this.#ask();
      this.#dead = dead;
      if (outcome < 2) {
        this.#reliableUntil = askedAt + LEASE_MS - MARGIN_MS;
        if (outcome === 1) this.onNew();
        return;
      }
      // Others may have dropped what was said under this name, and may go on doing so.
      this.#name = newName();
    }
  }

  async #ask(): Promise<[outcome: number, dead: readonly string[]]> {
    const keys = [this.redis.key('places', 'nodes'), this.redis.key('places', 'nodes', 'renewed')];
    const args = [this.#name, LEASE_MS, SILENCE_MS, DEAD_LISTED_MS, MAX_DEAD_LISTED];
    const reply = await this.redis.run(RENEW, keys, args);
    const [outcome, dead] = reply as readonly [number, readonly Buffer[]];
    return [outcome, dead.map(String)];
  }
}

function newName(): string {
  return randomBytes(9).toString('base64url');
}
