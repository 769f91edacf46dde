import type { HistogramReading } from '../histogram.js';
import type { Script } from './script.js';

/** How Redis does, as this node sees it. */
export interface RedisStats {
  /** From the first try of a command to its answer, or until it was given up. */
  readonly commands: HistogramReading;
  /** Commands without an answer. */
  readonly waiting: number;
  /** Since the start: how often messages or commands may have been lost. */
  readonly breaks: number;
  /**
   * How long a question takes on the connection on which messages come. The answer comes behind all messages before it, so
   * none of them was older when it arrived. `null`: nothing is known of the connection of now.
   */
  readonly lagMs: number | null;
}

export type Argument = string | number | Buffer;

/** Takes messages in the order in which they were published. It must not throw. */
export type OnMessage = (message: Buffer) => void;

/**
 * The Redis (or Valkey) that all nodes share: one server, one that Sentinels name, or a cluster.
 *
 * Every command has the deadline of `REDIS_DEADLINE_MS`. What was surely not executed (no connection, READONLY, LOADING,
 * CLUSTERDOWN, …) is tried again within it; what may have been executed never is.
 */
export interface Redis {
  /** Whether commands are answered and messages arrive, as far as is known. */
  readonly isAvailable: boolean;

  /** Whether `runDurably` waits for replicas. */
  readonly waitsForReplicas: boolean;

  /** The name of a key: what has the same `tag` lies in the same slot of a cluster. */
  key(kind: string, tag: string, part?: string): string;

  /**
   * The name of a channel, in the slot of its `tag`. It has the number of the database in it: "Pub/Sub has no relation to
   * the key space. […] Publishing on db 10, will be heard by a subscriber on db 1."
   */
  channel(kind: string, tag: string): string;

  /**
   * Runs a command on its first key's server; texts of the reply are Buffers.
   * @throws SluiceError UNAVAILABLE: it was not executed, or nobody knows.
   */
  call(name: string, ...args: readonly Argument[]): Promise<unknown>;

  /** As `call`, on each server that takes writes: one, or all of a cluster's. @throws SluiceError UNAVAILABLE */
  callEach(name: string, ...args: readonly Argument[]): Promise<readonly unknown[]>;

  /**
   * Runs a script, whole and alone; all keys have one tag. Texts of the reply are Buffers.
   * @throws SluiceError UNAVAILABLE: it was not executed, or nobody knows.
   */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown>;

  /**
   * As `run`, and resolves when `REDIS_MIN_REPLICAS` replicas have what it wrote.
   * @throws SluiceError UNAVAILABLE also where fewer have it in time.
   */
  runDurably(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown>;

  /**
   * Listens to a sharded channel, over every reconnect; messages meanwhile are lost. Resolves when Redis has said that it
   * sends them. @throws SluiceError UNAVAILABLE
   */
  subscribe(channel: string, onMessage: OnMessage): Promise<() => void>;

  /**
   * Names what is to be done, in the order of naming, each after the one before, whenever messages or commands may have
   * been lost: after a break, or another server in the place of the former one. Not before the first connection. While it
   * is being done `isAvailable` is false; what rejects is tried again.
   */
  onRestored(restore: () => Promise<void>): void;

  readonly stats: RedisStats;

  close(): Promise<void>;
}
