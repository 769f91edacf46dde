import { JwksClient, JwksError, type SigningKey } from 'jwks-rsa';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import type { KeyFetches, KeyQuestion, KeySet } from './key-set.js';
import {
  type Jwk,
  type KeysById,
  mayVerify,
  pinned,
  replaceKeys,
  type VerificationKey,
  verificationKey,
} from './verification-key.js';

export interface JwksOptions {
  /** Reads the JWK set, within a deadline of its own. */
  readonly fetch: () => Promise<{ keys: unknown }>;
  /** Told of each read that fails. */
  readonly onFailure?: (error: unknown) => void;
  /**
   * Age in ms from which the set is read anew in the background; at twice that age nobody enters by it before it was
   * read anew, unless it cannot be read. Default 5 minutes.
   */
  readonly refreshAfterMs?: number;
  /** Age in ms up to which the set is used while it cannot be read anew. Default 1 hour. */
  readonly staleAfterMs?: number;
  /** Least time in ms between two reads, however many unknown keys are asked for. Default 10 seconds. */
  readonly coolDownMs?: number;
}

const MAX_KEYS = 100;

type NamedJwk = Jwk & { readonly kid: string };

/**
 * The keys of one issuer's JWKS endpoint, held as a whole: one read at a time, none more often than the cool-down
 * allows, and a set that was read replaces the one before completely, so that a key rotated out is gone.
 * jwks-rsa converts the keys. Its cache and its rate limit stay off, since a flood of unknown key ids would get through
 * the one, and lock out good tokens by the other.
 */
export class JwksKeySet implements KeySet {
  private readonly fetch: JwksOptions['fetch'];
  private readonly onFailure: (error: unknown) => void;
  private readonly refreshAfterMs: number;
  private readonly staleAfterMs: number;
  private readonly coolDownMs: number;
  private keys: KeysById = new Map();
  private readAt = Number.NEGATIVE_INFINITY;
  private triedAt = Number.NEGATIVE_INFINITY;
  private failedAt = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | null = null;
  private readonly counts = { ok: 0, failed: 0 };

  constructor(options: JwksOptions) {
    this.fetch = options.fetch;
    this.onFailure = options.onFailure ?? (() => {});
    this.refreshAfterMs = options.refreshAfterMs ?? 300_000;
    this.staleAfterMs = options.staleAfterMs ?? 3_600_000;
    this.coolDownMs = options.coolDownMs ?? 10_000;
  }

  /** Reads the set before it is asked for, so that an endpoint that cannot be reached is known at once. */
  prefetch(): void {
    this.read().catch(ignore);
  }

  async find({ keyId, algorithm }: KeyQuestion): Promise<VerificationKey> {
    if (keyId === null) throw new SluiceError('INVALID_TOKEN', 'The token names no key.');
    if (this.knownKey(keyId) !== undefined) await this.refresh();
    const found = this.knownKey(keyId);
    return pinned(found === undefined ? await this.look(keyId) : found, algorithm);
  }

  isKnown(): boolean {
    const isKnown = this.readAt > Number.NEGATIVE_INFINITY;
    if (!isKnown && !this.isCoolingDown()) this.prefetch();
    return isKnown;
  }

  get fetches(): KeyFetches {
    const age = this.age();
    let keys = 0;
    for (const key of this.keys.values()) if (key !== null) keys++;
    return { ...this.counts, ageMs: age === Number.POSITIVE_INFINITY ? null : age, keys };
  }

  private knownKey(keyId: string): VerificationKey | null | undefined {
    return this.age() > this.staleAfterMs ? undefined : this.keys.get(keyId);
  }

  /** Monotonic, so that a clock that jumps makes no key older or younger. */
  private age(): number {
    return performance.now() - this.readAt;
  }

  private isCoolingDown(): boolean {
    return performance.now() - this.triedAt < this.coolDownMs;
  }

  /** Until it succeeds, the keys that are known serve on, as long as they are not stale. */
  private async refresh(): Promise<void> {
    if (this.age() <= this.refreshAfterMs) return;
    if (this.reading === null && this.isCoolingDown()) return;
    const read = this.read().catch(ignore);
    // Who comes after a long silence must not enter by a key that was rotated out long ago. Where the endpoint is known
    // to fail, nobody is kept waiting for it.
    if (this.age() > 2 * this.refreshAfterMs && !this.hasFailedLately()) await read;
  }

  private hasFailedLately(): boolean {
    return performance.now() - this.failedAt < 2 * this.coolDownMs;
  }

  /** Looks for a key that is not known. Only a read that began after the question can prove that there is none. */
  private async look(keyId: string): Promise<VerificationKey | null> {
    const beganBefore = this.reading !== null;
    if (!beganBefore && this.isCoolingDown()) throw cannotCheck();
    try {
      await this.read();
    } catch (cause) {
      throw cannotCheck(cause);
    }
    const found = this.knownKey(keyId);
    if (found !== undefined) return found;
    // An issuer without any key is one that has a fault: nobody is turned away for good by it.
    const hasKeys = [...this.keys.values()].some((key) => key !== null);
    if (beganBefore || !hasKeys) throw cannotCheck();
    throw new SluiceError('INVALID_TOKEN', 'The token was signed with a key that is not known.');
  }

  private read(): Promise<void> {
    this.reading ??= this.readNow()
      .catch((error: unknown) => {
        this.failedAt = performance.now();
        this.counts.failed++;
        this.onFailure(error);
        throw error;
      })
      .finally(() => {
        this.reading = null;
      });
    return this.reading;
  }

  private async readNow(): Promise<void> {
    const askedAt = performance.now();
    this.triedAt = askedAt;
    this.keys = replaceKeys(this.keys, await keysOf((await this.fetch()).keys));
    this.readAt = askedAt;
    this.counts.ok++;
  }
}

/** What `onFailure` was told of already. */
function ignore(): void {}

async function keysOf(members: unknown): Promise<KeysById> {
  if (!Array.isArray(members) || members.length > MAX_KEYS) {
    throw new Error(`the JWK set is not a list of at most ${MAX_KEYS} keys`);
  }
  const named = members.filter(isNamed);
  const usable = named.filter(mayVerify);
  if (new Set(usable.map(({ kid }) => kid)).size < usable.length) {
    // Which one is meant cannot be known, and so nothing of such a set.
    throw new Error('the JWK set names two keys alike');
  }
  const keys = new Map<string, VerificationKey | null>(named.map(({ kid }) => [kid, null]));
  for (const { kid, alg, getPublicKey } of await convert(usable)) {
    keys.set(kid, verificationKey(getPublicKey(), alg));
  }
  return keys;
}

function isNamed(member: unknown): member is NamedJwk {
  const kid = typeof member === 'object' && member !== null ? (member as Jwk)['kid'] : undefined;
  return typeof kid === 'string' && kid !== '';
}

/** Members that cannot be converted are left out. */
async function convert(keys: readonly NamedJwk[]): Promise<SigningKey[]> {
  const fetcher = async () => ({ keys });
  try {
    return await new JwksClient({ cache: false, rateLimit: false, fetcher }).getSigningKeys();
  } catch (error) {
    // It takes a set without a usable key for a failure. Here it is an answer too: all keys were rotated out.
    if (error instanceof JwksError) return [];
    throw error;
  }
}

function cannotCheck(cause?: unknown): SluiceError {
  return new SluiceError('AUTH_ERROR', 'The keys to check the token cannot be had right now.', {
    cause,
    retryAfterMs: spreadRetryMs(10_000),
  });
}
