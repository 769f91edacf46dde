import { createHash } from 'node:crypto';
import type { Cursor } from '@sluice/protocol';
import type { RetentionRules } from '../config.js';
import { SluiceError } from '../errors.js';
import type { Argument, Redis } from '../redis/redis.js';
import { AppendBudget } from './append-budget.js';
import { randomEpoch } from './epoch.js';
import type {
  Appended,
  EventLog,
  Excerpt,
  Following,
  Idempotency,
  LogExtent,
  LogFollower,
  LogStats,
  NewEntry,
  ReadLimit,
} from './event-log.js';
import { logUnavailable } from './log-unavailable.js';
import { decodeEntry, encodeEvent, type StreamEntry } from './redis/entry-text.js';
import { readMemory } from './redis/memory.js';
import { Readings } from './redis/readings.js';
import { APPEND, EXTENT, READ, TELL, TOUCH } from './redis/scripts.js';
import { type Stretch, WorkspaceReader } from './redis/workspace-reader.js';
import { Retentions } from './retention.js';

/** How often it is looked for messages that were lost without a break of the connection, in so many workspaces. */
const CHECK = { intervalMs: 2_000, workspaces: 1_000 };
/** How often the name of a log that is followed is kept from being forgotten. */
const TOUCH_INTERVAL_MS = 3_600_000;
/** How long the name of a log outlives its last event: cursors of its epoch are about. */
const NAME_OUTLIVES_MS = 7 * 86_400_000;
const CATCH_UP_LIMIT: ReadLimit = { maxEntries: 500, maxBytes: 262_144 };

export interface RedisEventLogOptions {
  readonly redis: Redis;
  readonly retention: RetentionRules;
  /** Whether what Redis has acknowledged survives its restart and fail-over. */
  readonly isDurable: boolean;
}

/** The log in Redis, shared by all nodes. */
export class RedisEventLog implements EventLog {
  private readonly redis: Redis;
  private readonly retentions: Retentions;
  private readonly isDurable: boolean;
  private readonly budget = new AppendBudget();
  private readonly readings: Readings;
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly timers: NodeJS.Timeout[];
  private isChecking = false;
  private isRestoring = false;
  private isClosed = false;

  constructor({ redis, retention, isDurable }: RedisEventLogOptions) {
    this.redis = redis;
    this.retentions = new Retentions(retention);
    this.isDurable = isDurable;
    this.readings = new Readings({
      subscribe: (workspace, onMessage) =>
        redis.subscribe(this.channelOf(workspace), (message) => {
          // What is passed over here is read when everything is restored.
          if (this.mayGoOn) onMessage(message);
        }),
      openReader: (workspace) =>
        WorkspaceReader.open({
          extent: () => this.askExtent(workspace),
          read: (epoch, offset) => this.readOn(workspace, { epoch, offset }, CATCH_UP_LIMIT),
        }),
    });
    redis.onRestored(() => this.catchUpAll());
    this.timers = [
      setInterval(() => void this.check(), CHECK.intervalMs).unref(),
      setInterval(() => void this.touch(), TOUCH_INTERVAL_MS).unref(),
    ];
  }

  get isAvailable(): boolean {
    return this.redis.isAvailable && !this.isClosed;
  }

  append(
    workspace: string,
    events: readonly NewEntry[],
    idempotency?: Idempotency,
  ): Promise<Appended> {
    if (this.isClosed) return Promise.reject(logUnavailable());
    const appending = this.budget.spend(events, () => this.write(workspace, events, idempotency));
    this.underWay.add(appending);
    const forget = () => this.underWay.delete(appending);
    appending.then(forget, forget);
    return appending;
  }

  async read(workspace: string, after: Cursor, limit: ReadLimit): Promise<Excerpt> {
    const { extent, entries } = await this.readOn(workspace, after, limit);
    if (extent.epoch !== after.epoch) throw logUnavailable(new Error('the log was made anew'));
    return { entries, packed: null };
  }

  async extent(workspace: string): Promise<LogExtent> {
    if (!this.mayGoOn) throw logUnavailable();
    return this.askExtent(workspace);
  }

  private async askExtent(workspace: string): Promise<LogExtent> {
    if (this.isClosed) throw logUnavailable();
    const keys = this.keysOf(workspace);
    return readExtent(await this.redis.run(EXTENT, keys, this.commonArguments(workspace)));
  }

  async follow(workspace: string, follower: LogFollower): Promise<Following> {
    if (this.isClosed) throw logUnavailable();
    return this.readings.follow(workspace, follower);
  }

  async stats(): Promise<LogStats> {
    if (this.isClosed) throw logUnavailable();
    const memory = readMemory(await this.redis.callEach('INFO', 'memory'));
    return { workspaces: null, events: null, ...memory };
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const timer of this.timers) clearInterval(timer);
    this.readings.end();
    await Promise.allSettled(this.underWay);
  }

  private async write(
    workspace: string,
    events: readonly NewEntry[],
    idempotency: Idempotency | undefined,
  ): Promise<Appended> {
    const hash = idempotency === undefined ? '' : sha256(idempotency.key);
    const fingerprint = idempotency?.fingerprint.toString('base64url') ?? '';
    const reply = await this.redis.runDurably(APPEND, this.keysOf(workspace), [
      ...this.commonArguments(workspace),
      hash,
      fingerprint,
      ...events.map(encodeEvent),
    ]);
    const [outcome, epochText, first, count, entries] = reply as readonly unknown[];
    if (outcome === 2) {
      const detail = 'This Idempotency-Key was used before, for another body.';
      throw new SluiceError('INVALID_REQUEST', detail);
    }
    const epoch = String(epochText);
    const last = Number(first) + (outcome === 0 ? events.length : Number(count)) - 1;
    await this.tell(workspace, epoch, last);
    if (outcome === 0) return { epoch, first: Number(first), count: events.length, repeated: null };
    const repeated = (entries as StreamEntry[]).map((entry) => decodeEntry(epoch, entry));
    return { epoch, first: Number(first), count: Number(count), repeated };
  }

  /**
   * Where replicas are waited for, readers get what the replicas have: what the primary alone had would be lost with it,
   * and would come twice if it was published again.
   */
  private async tell(workspace: string, epoch: string, last: number): Promise<void> {
    if (!this.redis.waitsForReplicas) return;
    const [meta = '', events = '', , , channel = ''] = this.keysOf(workspace);
    // It is durable by now. If it cannot be told of, whoever looks at the head next will do so.
    await this.redis.run(TELL, [meta, events, channel], [epoch, last]).catch(() => {});
  }

  /** Tells of what was appended, and whose node has not come to tell of it. */
  private async tellLeftovers(workspace: string): Promise<void> {
    const [meta] = this.keysOf(workspace) as [string];
    const [epoch, head] = (await this.redis.runDurably(TOUCH, [meta], [])) as readonly Buffer[];
    if (epoch !== undefined) await this.tell(workspace, String(epoch), Number(head));
  }

  /** What is behind a cursor, if it may be given out. */
  private async readOn(workspace: string, after: Cursor, limit: ReadLimit): Promise<Stretch> {
    const stretch = this.mayGoOn ? await this.readBehind(workspace, after, limit) : null;
    // There may have been a break since it was asked for.
    if (stretch === null || !this.mayGoOn) throw logUnavailable();
    return stretch;
  }

  private async readBehind(
    workspace: string,
    { epoch, offset }: Cursor,
    { maxEntries, maxBytes }: ReadLimit,
  ): Promise<Stretch> {
    if (this.isClosed) throw logUnavailable();
    const [meta, events] = this.keysOf(workspace) as [string, string];
    const reply = await this.redis.run(READ, [meta, events], [epoch, offset, maxEntries, maxBytes]);
    const entries = (reply as readonly unknown[])[3] as readonly StreamEntry[];
    return {
      extent: readExtent(reply),
      entries: entries.map((entry) => decodeEntry(epoch, entry)),
    };
  }

  /**
   * After a break nothing is given out until it was restored in its order: what was revoked meanwhile is known before the
   * first event goes out.
   */
  private get mayGoOn(): boolean {
    return !this.isClosed && (this.redis.isAvailable || this.isRestoring);
  }

  /** After a break, by all readers; one log that cannot be read keeps the others from nothing. */
  private async catchUpAll(): Promise<void> {
    this.isRestoring = true;
    try {
      await this.readings.visitAll((reader) =>
        reader.catchUp().catch((error: unknown) => {
          if (!isOfOneLog(error)) throw error;
        }),
      );
    } finally {
      this.isRestoring = false;
    }
  }

  /** Looks at the heads of some logs that are followed here; whoever finds that it is behind reads on. */
  private async check(): Promise<void> {
    if (this.isChecking || !this.isAvailable) return;
    this.isChecking = true;
    const look = async (reader: WorkspaceReader, workspace: string): Promise<void> => {
      const [meta] = this.keysOf(workspace) as [string];
      const reply = await this.redis.call('HMGET', meta, 'epoch', 'told', 'head');
      const [epoch, told, head] = reply as readonly (Buffer | null)[];
      if (reader.isLeftOver(Number(told), Number(head))) await this.tellLeftovers(workspace);
      reader.onHead(String(epoch), Number(told));
    };
    await this.readings
      .visitSome(CHECK.workspaces, (...one) => look(...one).catch(() => {}))
      .finally(() => {
        this.isChecking = false;
      });
  }

  private async touch(): Promise<void> {
    await this.readings.visitAll((_, workspace) => this.extent(workspace).catch(() => {}));
  }

  private keysOf(workspace: string): string[] {
    const parts = ['meta', 'events', 'keys', 'order'];
    const keys = parts.map((part) => this.redis.key('log', workspace, part));
    return [...keys, this.channelOf(workspace)];
  }

  private channelOf(workspace: string): string {
    return this.redis.channel('log', workspace);
  }

  private commonArguments(workspace: string): Argument[] {
    const { maxEvents, maxBytes, maxAgeSeconds } = this.retentions.of(workspace);
    return [
      randomEpoch(),
      this.isDurable ? 1 : 0,
      maxEvents,
      maxBytes,
      maxAgeSeconds * 1_000,
      NAME_OUTLIVES_MS,
      this.redis.waitsForReplicas ? 1 : 0,
    ];
  }
}

function readExtent(reply: unknown): LogExtent {
  const [epoch, head, oldest] = reply as readonly Buffer[];
  return { epoch: String(epoch), head: Number(head), oldest: Number(oldest) };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** What Redis says of a key that was written by somebody else, or is on its way to another server; the others can be read. */
function isOfOneLog(error: unknown): boolean {
  const { cause } = error as SluiceError;
  return /^(WRONGTYPE|ERR|TRYAGAIN|ASK|MOVED) /.test(String((cause as Error | undefined)?.message));
}
