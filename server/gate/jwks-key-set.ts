import type { KeyObject } from 'node:crypto';
import { JwksClient } from 'jwks-rsa';
import { SluiceError, spreadRetryMs } from '../errors.js';
import type { KeySet } from './key-set.js';
import { type Jwk, mayVerify, type VerificationKey, verificationKey } from './verification-key.js';

export interface JwksOptions {
  /** Reads the JWK set, within a deadline of its own. */
  readonly fetch: () => Promise<{ keys: unknown }>;
  /** Told of each read that fails. */
  readonly onFailure?: (error: unknown) => void;
  /** Age in ms from which the set is read anew in the background. Default 5 minutes. */
  readonly refreshAfterMs?: number;
  /** Age in ms up to which the set is used while it cannot be read anew. Default 1 hour. */
  readonly staleAfterMs?: number;
  /** Least time in ms between two reads, however many unknown keys are asked for. Default 10 seconds. */
  readonly coolDownMs?: number;
}

const MAX_KEYS = 100;

/**
 * The keys of one issuer's JWKS endpoint, held as a whole: one read at a time, none more often than the cool-down
 * allows, and a set that was read replaces the one before completely, so that a key rotated out is gone.
 * jwks-rsa reads the endpoint and converts the keys. Its cache and its rate limit stay off, since a flood of unknown
 * key ids would get through the one, and lock out good tokens by the other.
 */
export class JwksKeySet implements KeySet {
  private readonly client: JwksClient;
  private readonly onFailure: (error: unknown) => void;
  private readonly refreshAfterMs: number;
  private readonly staleAfterMs: number;
  private readonly coolDownMs: number;
  private keys: ReadonlyMap<string, VerificationKey> = new Map();
  private readAt = Number.NEGATIVE_INFINITY;
  private triedAt = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | null = null;

  constructor(options: JwksOptions) {
    this.onFailure = options.onFailure ?? (() => {});
    this.refreshAfterMs = options.refreshAfterMs ?? 300_000;
    this.staleAfterMs = options.staleAfterMs ?? 3_600_000;
    this.coolDownMs = options.coolDownMs ?? 10_000;
    this.client = new JwksClient({
      cache: false,
      rateLimit: false,
      fetcher: async () => ({ keys: vetted((await options.fetch()).keys) }),
    });
  }

  /** Reads the set before it is asked for, so that an endpoint that cannot be reached is known at once. */
  prefetch(): void {
    this.read().catch(ignore);
  }

  async find(keyId: string, algorithm: string): Promise<KeyObject> {
    const known = this.knownKey(keyId);
    if (known === undefined) await this.readIfAllowed();
    else if (this.age() > this.refreshAfterMs) this.refreshInBackground();

    const found = known ?? this.knownKey(keyId);
    if (found === undefined) throw this.unknownKey();
    if (!found.algorithms.includes(algorithm)) {
      throw new SluiceError('INVALID_TOKEN', 'The key of the token is not for its algorithm.');
    }
    return found.key;
  }

  private knownKey(keyId: string): VerificationKey | undefined {
    return this.age() > this.staleAfterMs ? undefined : this.keys.get(keyId);
  }

  /** Monotonic, so that a clock that jumps makes no key older or younger. */
  private age(): number {
    return performance.now() - this.readAt;
  }

  private async readIfAllowed(): Promise<void> {
    const isCoolingDown = performance.now() - this.triedAt < this.coolDownMs;
    if (this.reading === null && isCoolingDown) throw cannotCheck();
    try {
      await this.read();
    } catch (cause) {
      throw cannotCheck(cause);
    }
  }

  private refreshInBackground(): void {
    if (performance.now() - this.triedAt < this.coolDownMs) return;
    // Until it succeeds, the keys that are known serve on, as long as they are not stale.
    this.read().catch(ignore);
  }

  private read(): Promise<void> {
    this.reading ??= this.readNow()
      .catch((error: unknown) => {
        this.onFailure(error);
        throw error;
      })
      .finally(() => {
        this.reading = null;
      });
    return this.reading;
  }

  private async readNow(): Promise<void> {
    this.triedAt = performance.now();
    const keys = new Map<string, VerificationKey>();
    for (const { kid, alg, getPublicKey } of await this.client.getSigningKeys()) {
      const key = verificationKey(kid, getPublicKey(), alg);
      if (key !== null) keys.set(kid, key);
    }
    this.keys = keys;
    this.readAt = performance.now();
  }

  private unknownKey(): SluiceError {
    return new SluiceError('INVALID_TOKEN', 'The token was signed with a key that is not known.');
  }
}

/** What `onFailure` was told of already. */
function ignore(): void {}

/** The members that may verify. A key id that stands twice makes the set ambiguous, and so unusable. */
function vetted(keys: unknown): Jwk[] {
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) {
    throw new Error(`the JWK set is not a list of at most ${MAX_KEYS} keys`);
  }
  const usable = keys.filter(
    (key): key is Jwk => typeof key === 'object' && key !== null && mayVerify(key as Jwk),
  );
  if (new Set(usable.map(({ kid }) => kid)).size < usable.length) {
    throw new Error('the JWK set names two keys alike');
  }
  return usable;
}

function cannotCheck(cause?: unknown): SluiceError {
  return new SluiceError('AUTH_ERROR', 'The keys to check the token cannot be had right now.', {
    cause,
    retryAfterMs: spreadRetryMs(10_000),
  });
}
