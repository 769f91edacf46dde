import { subjectKey } from '../principal.js';
import {
  STREAM_TOKEN_LIMITS,
  type StreamTokenLimits,
  tooManyStreamTokens,
} from './stream-token-limits.js';
import type { StreamTokenGrant, StreamTokenStore } from './stream-token-store.js';

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

  constructor(private readonly limits: StreamTokenLimits = STREAM_TOKEN_LIMITS) {}

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
    if (this.countOf(subjectKey(principal)) >= maxPerSubject) throw tooManyStreamTokens('subject');
    if (this.countOf(workspaceKey(workspace)) >= maxPerWorkspace)
      throw tooManyStreamTokens('workspace');
    if (this.held.size >= maxTokens) throw tooManyStreamTokens('service');
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
