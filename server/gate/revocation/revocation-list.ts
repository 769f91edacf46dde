import type { TokenRules } from '../../config.js';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import { inTurns } from '../in-turns.js';
import { includes, isSame, keyOf, keysFor, type Revocation, widest } from './revocation.js';
import type { RevocationStore } from './revocation-store.js';
import type { RevocableToken, Revocations } from './revocations.js';

/** How many revocations may stand; none is dropped for another. */
const MAX_REVOCATIONS = { inWorkspace: 20_000, inAll: 200_000 };
/** How many may wait for the store at once. */
const MAX_WAITING = 1_000;
const SWEEP_INTERVAL_MS = 60_000;
/** Revocations forgotten in one go, so that no addition waits long behind a sweep. */
const MAX_FORGOTTEN = 500;

export interface RevocationListOptions {
  readonly tokens: Pick<TokenRules, 'maxLifetimeSeconds' | 'clockToleranceSeconds'>;
  /** Default 20,000 in a workspace, 200,000 in all. */
  readonly bounds?: typeof MAX_REVOCATIONS;
}

/** The revocations that stand, in memory, so that asking after one costs nothing. */
export class RevocationList implements Revocations {
  private readonly byWorkspace = new Map<string, Map<string, Revocation>>();
  private readonly listeners: ((workspace: string) => void)[] = [];
  private readonly keptMs: number;
  private readonly bounds: typeof MAX_REVOCATIONS;
  private readonly timer: NodeJS.Timeout;
  private size = 0;
  private waiting = 0;
  private sweeping: Promise<void> | null = null;

  private constructor(
    private readonly store: RevocationStore,
    { tokens, bounds = MAX_REVOCATIONS }: RevocationListOptions,
  ) {
    // A token is good until `exp` and the tolerance, and its `exp` may lie a life and the tolerance ahead.
    this.keptMs = (tokens.maxLifetimeSeconds + 2 * tokens.clockToleranceSeconds) * 1_000;
    this.bounds = bounds;
    this.timer = setInterval(() => void this.sweep(), SWEEP_INTERVAL_MS).unref();
  }

  /** The list of everything that the store keeps. @throws Error if that cannot be read. */
  static async open(
    store: RevocationStore,
    options: RevocationListOptions,
  ): Promise<RevocationList> {
    const list = new RevocationList(store, options);
    try {
      await store.follow(
        (revocation) => list.apply(revocation),
        () => list.all(),
      );
      return list;
    } catch (error) {
      await list.close();
      throw error;
    }
  }

  /** How many stand. */
  get count(): number {
    return this.size;
  }

  check(token: RevocableToken, workspace: string): void {
    if (this.isRevoked(token, workspace)) {
      throw new SluiceError('INVALID_TOKEN', 'The token was revoked.');
    }
  }

  isRevoked(token: RevocableToken, workspace: string): boolean {
    const standing = this.byWorkspace.get(workspace);
    if (standing === undefined) return false;
    return keysFor(token).some((key) => {
      const revocation = standing.get(key);
      return revocation !== undefined && includes(revocation, token);
    });
  }

  /** Names who is told of each workspace in which something was revoked. */
  onRevoked(tell: (workspace: string) => void): void {
    this.listeners.push(tell);
  }

  /**
   * Revokes it for good. Resolves, with what stands now, when that will outlive the process.
   * @throws SluiceError RATE_LIMIT_EXCEEDED, UNAVAILABLE
   */
  async revoke(revocation: Revocation): Promise<Revocation> {
    this.checkRoom(revocation);
    this.waiting++;
    try {
      await this.store.add(revocation);
    } finally {
      this.waiting--;
    }
    return this.find(revocation) ?? revocation;
  }

  /** When it will be forgotten, in ms since 1970: no token that it is about is good any more. */
  forgottenAt({ before, revokedAt }: Revocation): number {
    return Math.max(revokedAt, before ?? 0) + this.keptMs;
  }

  /** Forgets what does not matter any more. */
  sweep(): Promise<void> {
    this.sweeping ??= this.forgetOld()
      // What could not be dropped stands on; the next sweep comes in a minute.
      .catch(() => {})
      .finally(() => {
        this.sweeping = null;
      });
    return this.sweeping;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.store.close();
    await this.sweeping;
  }

  private find(revocation: Revocation): Revocation | undefined {
    return this.byWorkspace.get(revocation.workspace)?.get(keyOf(revocation));
  }

  private checkRoom(revocation: Revocation): void {
    if (this.waiting >= MAX_WAITING) throw tooMany('Too many revocations are under way.');
    // For everybody's tokens there is always room: it is what is left to do when there is none.
    if (revocation.kind === 'all' || this.find(revocation) !== undefined) return;
    const inWorkspace = this.byWorkspace.get(revocation.workspace)?.size ?? 0;
    if (inWorkspace + this.waiting >= this.bounds.inWorkspace) {
      throw tooMany('This workspace has as many revocations as it may; revoke "all" instead.');
    }
    if (this.size + this.waiting >= this.bounds.inAll) {
      throw tooMany('This service has as many revocations as it may; revoke "all" instead.');
    }
  }

  private apply(revocation: Revocation): void {
    const { workspace } = revocation;
    const standing = this.byWorkspace.get(workspace) ?? new Map<string, Revocation>();
    this.byWorkspace.set(workspace, standing);
    const key = keyOf(revocation);
    const known = standing.get(key);
    const widened = known === undefined ? revocation : widest(revocation, known);
    // What is told again changes nothing, and nobody needs to look through their streams.
    if (known !== undefined && isSame(widened, known)) return;
    if (known === undefined) this.size++;
    standing.set(key, widened);
    for (const tell of this.listeners) tell(workspace);
  }

  private async forgetOld(): Promise<void> {
    const now = Date.now();
    const old: Revocation[] = [];
    await inTurns(this.all(), (revocation) => {
      if (this.forgottenAt(revocation) <= now) old.push(revocation);
    });
    while (old.length > 0) {
      const some = old.splice(0, MAX_FORGOTTEN);
      const standing = new Set(await this.store.forget(some, this.keptMs));
      for (const revocation of some) if (!standing.has(revocation)) this.drop(revocation);
    }
  }

  private *all(): Iterable<Revocation> {
    for (const standing of this.byWorkspace.values()) yield* standing.values();
  }

  private drop(revocation: Revocation): void {
    const { workspace } = revocation;
    const standing = this.byWorkspace.get(workspace);
    // Another one stands here if it was asked for anew meanwhile.
    if (standing === undefined || this.find(revocation) !== revocation) return;
    standing.delete(keyOf(revocation));
    this.size--;
    if (standing.size === 0) this.byWorkspace.delete(workspace);
  }
}

function tooMany(detail: string): SluiceError {
  return new SluiceError('RATE_LIMIT_EXCEEDED', detail, { retryAfterMs: spreadRetryMs(5_000) });
}
