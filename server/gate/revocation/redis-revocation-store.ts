import { randomBytes } from 'node:crypto';
import { SluiceError, spreadRetryMs } from '../../errors.js';
import type { Redis } from '../../redis/redis.js';
import {
  type Changes,
  type RevocationFollower,
  RevocationReader,
} from './redis/revocation-reader.js';
import { decodeRevocation, digestOf, encodeRevocation } from './redis/revocation-text.js';
import { ADD, FORGET, PUT_BACK, READ } from './redis/scripts.js';
import type { Revocation } from './revocation.js';
import type { RevocationStore } from './revocation-store.js';

/** How often it is looked for what no message told of: twice within the second that a revocation may take. */
const LOOK_INTERVAL_MS = 500;
/** What one script reads or writes, so that Redis serves others between. */
const AT_ONCE = 500;

export interface RedisRevocationStoreOptions {
  readonly redis: Redis;
  /** Told of what lies among the revocations and is none. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The store of revocations in Redis, shared by all nodes. It is to be made before the log, so that after a break what was
 * revoked meanwhile is known before the streams go on.
 */
export class RedisRevocationStore implements RevocationStore {
  private readonly redis: Redis;
  private readonly onFailure: (error: unknown) => void;
  private readonly keys: readonly string[];
  private readonly readers: RevocationReader[] = [];
  /** How often what each reader's follower holds was put back. */
  private readonly putBacks = new WeakMap<RevocationReader, number>();
  private readonly running = new Set<Promise<unknown>>();
  private readonly timer: NodeJS.Timeout;
  private unsubscribe: () => void = () => {};
  private isListening = false;
  private isLooking = false;
  private isClosed = false;

  constructor({ redis, onFailure }: RedisRevocationStoreOptions) {
    this.redis = redis;
    this.onFailure = onFailure;
    this.keys = [...['meta', 'kept', 'order'].map((part) => this.key(part)), this.channel];
    redis.onRestored(() => this.readOn());
    this.timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS).unref();
  }

  async add(revocation: Revocation): Promise<void> {
    const reply = await this.write(() =>
      this.redis.runDurably(ADD, this.keys, [
        randomEpoch(),
        digestOf(revocation),
        encodeRevocation(revocation),
      ]),
    );
    const [history, place, text] = reply as readonly [Buffer, number, Buffer];
    const standing = decodeRevocation(String(text));
    for (const reader of this.readers) reader.tellAhead(String(history), place, standing);
  }

  async follow(
    tell: (revocation: Revocation) => void,
    held: () => Iterable<Revocation> = () => [],
  ): Promise<void> {
    if (this.isClosed) throw unavailable();
    await this.listen();
    const reader = this.readerFor({ tell, held });
    this.readers.push(reader);
    try {
      await reader.readOn();
    } catch (error) {
      this.readers.splice(this.readers.indexOf(reader), 1);
      throw error;
    }
  }

  async forget(revocations: readonly Revocation[], keptMs: number): Promise<readonly Revocation[]> {
    const named = (one: Revocation) => [digestOf(one), String(one.revokedAt)];
    const standing = new Set<string>();
    for (const some of inChunks(revocations)) {
      const args = [randomEpoch(), keptMs, ...some.flatMap(named)];
      const reply = await this.write(() => this.redis.run(FORGET, this.keys, args));
      for (const digest of reply as readonly Buffer[]) standing.add(String(digest));
    }
    return revocations.filter((one) => standing.has(digestOf(one)));
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.timer);
    this.unsubscribe();
    await Promise.allSettled(this.running);
  }

  private async listen(): Promise<void> {
    if (this.isListening) return;
    this.isListening = true;
    try {
      this.unsubscribe = await this.redis.subscribe(this.channel, () => void this.look());
    } catch (error) {
      this.isListening = false;
      throw error;
    }
  }

  private readerFor(follower: RevocationFollower): RevocationReader {
    const read = (history: string, after: number) => this.changesBehind(history, after);
    return new RevocationReader({ follower, read, onFailure: this.onFailure });
  }

  private async changesBehind(history: string, after: number): Promise<Changes> {
    const args = [randomEpoch(), history, after, AT_ONCE];
    const reply = (await this.redis.run(READ, this.keys, args)) as readonly Buffer[];
    const [found, ...rest] = reply.map(String);
    const changes = Array.from({ length: rest.length / 2 }, (_, index) => ({
      place: Number(rest[2 * index]),
      text: rest[2 * index + 1] ?? '',
    }));
    return { history: found ?? '', changes, isCut: changes.length === AT_ONCE };
  }

  private async readOn(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.readOn()));
  }

  /** Looks for changes, and whether something was lost. What cannot be had now is looked for the next time. */
  private async look(): Promise<void> {
    if (this.isClosed) return;
    const reading = this.readOn();
    reading.catch(() => {});
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      await reading;
      for (const reader of this.readers) await this.putBackFor(reader);
    } catch {
      // Redis is away.
    } finally {
      this.isLooking = false;
    }
  }

  /** A Redis that came back without its newest data, or with none, gets back what is held here. */
  private async putBackFor(reader: RevocationReader): Promise<void> {
    const { lossCount, follower } = reader;
    if (lossCount === (this.putBacks.get(reader) ?? 0)) return;
    const named = (one: Revocation) => [digestOf(one), encodeRevocation(one)];
    for (const some of inChunks([...follower.held()])) {
      await this.write(() =>
        this.redis.runDurably(PUT_BACK, this.keys, [randomEpoch(), ...some.flatMap(named)]),
      );
    }
    this.putBacks.set(reader, lossCount);
  }

  private async write(work: () => Promise<unknown>): Promise<unknown> {
    if (this.isClosed) throw unavailable();
    const writing = work();
    this.running.add(writing);
    try {
      return await writing;
    } catch (cause) {
      throw unavailable(cause);
    } finally {
      this.running.delete(writing);
    }
  }

  private get channel(): string {
    return this.redis.channel('revocations', 'all');
  }

  private key(part: string): string {
    return this.redis.key('revocations', 'all', part);
  }
}

function inChunks(revocations: readonly Revocation[]): Revocation[][] {
  const count = Math.ceil(revocations.length / AT_ONCE);
  return Array.from({ length: count }, (_, index) =>
    revocations.slice(index * AT_ONCE, (index + 1) * AT_ONCE),
  );
}

function randomEpoch(): string {
  return randomBytes(9).toString('base64url');
}

function unavailable(cause?: unknown): SluiceError {
  return new SluiceError('UNAVAILABLE', 'The revocation cannot be kept right now.', {
    cause,
    retryAfterMs: spreadRetryMs(2_000),
  });
}
