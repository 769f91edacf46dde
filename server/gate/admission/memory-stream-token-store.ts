import { SluiceError, spreadRetryMs } from '../../errors.js';
import { subjectKey } from '../principal.js';
import type { StreamTokenGrant, StreamTokenStore } from './stream-token-store.js';

/** How many tokens may wait for their use. */
export interface StreamTokenLimits {
  readonly maxTokens: number;
  readonly maxPerWorkspace: number;
  readonly maxPerSubject: number;
}

/** No workspace can use up what others need, and no subject what its workspace needs. */
const DEFAULT_LIMITS: StreamTokenLimits = {
  maxTokens: 100_000,
  maxPerWorkspace: 20_000,
  maxPerSubject: 100,
};
const RETRY_MS = 5_000;

interface Held {
  readonly grant: StreamTokenGrant;
  /** By the monotonic clock. */
  readonly endsAt: number;
}

/** Keeps stream tokens in the process: good for one node. At its bounds it refuses new ones, and drops nobody's. */
export class MemoryStreamTokenStore implements StreamTokenStore {
  /** All live equally long, so the first that came is the first that ends. */
  private readonly held = new Map<string, Held>();
  private readonly heldByOwner = new Map<string, number>();
  private sweep: NodeJS.Timeout | null = null;

  constructor(private readonly limits: StreamTokenLimits = DEFAULT_LIMITS) {}

  async put(hash: string, grant: StreamTokenGrant, lifetimeMs: number): Promise<void> {
    this.dropEnded();
    this.checkLimits(grant);
    this.held.set(hash, { grant, endsAt: performance.now() + lifetimeMs });
    for (const owner of ownersOf(grant)) this.heldByOwner.set(owner, this.countOf(owner) + 1);
    this.sweepLater(lifetimeMs);
  }

  async take(hash: string): Promise<StreamTokenGrant | null> {
    const held = this.held.get(hash);
    if (held === undefined) return null;
    this.drop(hash, held);
    return held.endsAt > performance.now() ? held.grant : null;
  }

  private checkLimits({ principal, workspace }: StreamTokenGrant): void {
    const { maxTokens, maxPerWorkspace, maxPerSubject } = this.limits;
    if (this.countOf(subjectKey(principal)) >= maxPerSubject) throw tooMany('this subject');
    if (this.countOf(workspaceKey(workspace)) >= maxPerWorkspace) throw tooMany('this workspace');
    if (this.held.size >= maxTokens) throw tooMany('this node');
  }

  private countOf(owner: string): number {
    return this.heldByOwner.get(owner) ?? 0;
  }

  private dropEnded(): void {
    const now = performance.now();
    for (const [hash, held] of this.held) {
      if (held.endsAt > now) return;
      this.drop(hash, held);
    }
  }

  private drop(hash: string, { grant }: Held): void {
    this.held.delete(hash);
    for (const owner of ownersOf(grant)) {
      const left = this.countOf(owner) - 1;
      if (left > 0) this.heldByOwner.set(owner, left);
      else this.heldByOwner.delete(owner);
    }
  }

  /** What nobody comes for shall not stay in memory where no other token is asked for. */
  private sweepLater(delayMs: number): void {
    if (this.sweep !== null) return;
    this.sweep = setTimeout(() => {
      this.sweep = null;
      this.dropEnded();
      if (this.held.size > 0) this.sweepLater(delayMs);
    }, delayMs).unref();
  }
}

function ownersOf({ principal, workspace }: StreamTokenGrant): readonly string[] {
  return [subjectKey(principal), workspaceKey(workspace)];
}

/** No list in JSON begins like a workspace. */
function workspaceKey(workspace: string): string {
  return workspace;
}

function tooMany(owner: string): SluiceError {
  return new SluiceError(
    'RATE_LIMIT_EXCEEDED',
    `Too many stream tokens of ${owner} wait for their use.`,
    { retryAfterMs: spreadRetryMs(RETRY_MS) },
  );
}
