import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type Retention, type RetentionRules, readConfig } from '../../server/config.js';
import {
  type EventLog,
  isSeam,
  type LogEntry,
  type LogExtent,
} from '../../server/log/event-log.js';
import { RedisEventLog } from '../../server/log/redis-event-log.js';
import { openRedis } from '../../server/redis/open-redis.js';
import type { Redis } from '../../server/redis/redis.js';
import { until } from './until.js';

const GENEROUS: Retention = { maxAgeSeconds: 3_600, maxEvents: 100_000, maxBytes: 100_000_000 };

export interface RedisLogOptions {
  readonly retention?: Partial<Retention>;
  readonly isDurable?: boolean;
  readonly deadlineMs?: number;
  readonly minReplicas?: number;
  /** Puts something between the log and its Redis. */
  readonly wrap?: (redis: Redis) => Redis;
}

/** A log on a Redis as one node has it. Use it with `await using`. */
export interface RedisLog extends AsyncDisposable {
  readonly log: EventLog;
  readonly redis: Redis;
}

export async function openRedisLog(url: string, options: RedisLogOptions = {}): Promise<RedisLog> {
  const { retention = {}, isDurable = true, deadlineMs = 1_000, wrap = (one) => one } = options;
  const env = {
    REDIS_URL: url,
    REDIS_DEADLINE_MS: String(deadlineMs),
    REDIS_MIN_REPLICAS: String(options.minReplicas ?? 0),
  };
  const { redis: settings } = readConfig(env);
  if (settings === null) throw new Error('no Redis');
  const rules: RetentionRules = { default: { ...GENEROUS, ...retention }, workspaces: [] };
  const redis = await openRedis({ settings, onFailure: () => {} });
  const log = new RedisEventLog({ redis: wrap(redis), retention: rules, isDurable });
  return {
    log,
    redis,
    [Symbol.asyncDispose]: async () => {
      await log.close();
      await redis.close();
    },
  };
}

/** A Redis whose scripts read the clock as late or early as a test wants; everything else is as it is. */
export function withClock(redis: Redis, aheadMs: () => number): Redis {
  const changed = (run: Redis['run']): Redis['run'] => {
    return (script, keys, args) => {
      const lua = script.lua.replace(
        "local clock = redis.call('TIME')",
        `local clock = redis.call('TIME'); clock[1] = clock[1] + ${aheadMs() / 1_000}`,
      );
      return run({ lua, sha1: createHash('sha1').update(lua).digest('hex') }, keys, args);
    };
  };
  return overriding(redis, {
    run: changed((...args) => redis.run(...args)),
    runDurably: changed((...args) => redis.runDurably(...args)),
  });
}

/** As `redis`, but for what is given. */
export function overriding(redis: Redis, own: Partial<Redis>): Redis {
  return new Proxy(redis, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** What a follower of a log is told, checked against what it was promised: each entry once, in order, without a hole. */
export class LogWatch {
  readonly entries: LogEntry[] = [];
  readonly breaks: LogExtent[] = [];
  readonly faults: string[] = [];
  private unfollow = () => {};
  private epoch = '';
  private head = 0;

  static async on(log: EventLog, workspace: string): Promise<LogWatch> {
    const watch = new LogWatch();
    const early: (() => void)[] = [];
    let take = (work: () => void): void => {
      early.push(work);
    };
    const following = await log.follow(workspace, {
      onEntries: (entries) => take(() => watch.onEntries(entries)),
      onBreak: (extent) => take(() => watch.onBreak(extent)),
    });
    watch.unfollow = following.unfollow;
    ({ epoch: watch.epoch, head: watch.head } = following.extent);
    take = (work) => work();
    for (const work of early) work();
    return watch;
  }

  /** The cursors of the events seen. */
  get cursors(): string[] {
    return this.entries
      .filter((entry) => !isSeam(entry))
      .map(({ frame }) => /^id: (.*)/.exec(frame.toString())?.[1] ?? '');
  }

  /** What it should have seen and has not, of what no break has told that it may be missing. */
  unexplained(cursors: readonly string[]): string[] {
    const seen = new Set(this.cursors);
    const isTold = (cursor: string) => {
      const [epoch = '', offset] = cursor.split('-');
      return this.breaks.some((to) => to.epoch !== epoch || to.head >= Number(offset));
    };
    return cursors.filter((cursor) => !seen.has(cursor) && !isTold(cursor));
  }

  /** Waits until it has come to the end of the log. */
  async reaches(log: EventLog, workspace: string, deadlineMs?: number): Promise<void> {
    const look = async () => {
      const { epoch, head } = await log.extent(workspace);
      return this.epoch === epoch && this.head === head;
    };
    await until('a follower has come to the head', look, deadlineMs);
  }

  end(): void {
    this.unfollow();
  }

  private onEntries(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.offset <= this.head) this.faults.push(`${entry.offset} again, at ${this.head}`);
      if (entry.previous > this.head)
        this.faults.push(`a hole between ${this.head} and ${entry.offset}`);
      this.head = entry.offset;
      this.entries.push(entry);
    }
  }

  private onBreak(extent: LogExtent): void {
    this.breaks.push(extent);
    ({ epoch: this.epoch, head: this.head } = extent);
  }
}

/** A port behind which there is one server, and then another, as behind an address that moves with the primary. */
export interface MovingAddress extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Cuts all connections; new ones go to another port, or nowhere. */
  moveTo(target: number | null): void;
}

export async function startMovingAddress(first: number): Promise<MovingAddress> {
  const sockets = new Set<Socket>();
  let target: number | null = first;
  const server = createServer((client) => {
    if (target === null) {
      client.on('error', () => {}).resetAndDestroy();
      return;
    }
    const upstream = connect({ port: target, host: '127.0.0.1' }).setNoDelay();
    for (const [one, other] of [
      [client.setNoDelay(), upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    moveTo(next) {
      target = next;
      cut();
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
