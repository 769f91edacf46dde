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
 * What was found out about tokens that hold, so that it need not be found out anew. Tokens are known by their full hash:
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

  has(hash: string): boolean {
    return this.findings.has(hash);
  }

  get(hash: string): Finding | undefined {
    return this.findings.get(hash);
  }

  /**
   * @param size the characters of the token
   * @param lifetimeMs for how long it is worth to be remembered.
   */
  add(hash: string, finding: Finding, size: number, lifetimeMs: number): void {
    this.findings.set(hash, finding, { ttl: Math.max(1, Math.ceil(lifetimeMs)), size });
  }
}
