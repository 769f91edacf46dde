import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

export interface VerifiedTokensOptions {
  /** How many tokens are remembered at most. */
  readonly maxTokens?: number;
  /** How many characters they may have together. What is remembered of a token grows with it. */
  readonly maxCharacters?: number;
}

const MAX_TOKENS = 20_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;

/**
 * What was found out about tokens that hold, so that it need not be found out anew. Tokens are known by their hash:
 * nobody who sees the memory of the process finds a token in here.
 */
export class VerifiedTokens<Finding extends object> {
  private readonly findings: LRUCache<string, Finding>;

  constructor(options: VerifiedTokensOptions = {}) {
    this.findings = new LRUCache({
      max: options.maxTokens ?? MAX_TOKENS,
      maxSize: options.maxCharacters ?? MAX_CHARACTERS,
    });
  }

  has(token: string): boolean {
    return this.findings.has(hashOf(token));
  }

  get(token: string): Finding | undefined {
    return this.findings.get(hashOf(token));
  }

  /** @param lifetimeMs for how long it is worth to be remembered. */
  add(token: string, finding: Finding, lifetimeMs: number): void {
    this.findings.set(hashOf(token), finding, {
      ttl: Math.max(1, Math.ceil(lifetimeMs)),
      size: token.length,
    });
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
