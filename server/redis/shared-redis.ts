import type { RedisSettings } from '../config.js';
import { ClusterServers } from './cluster-servers.js';
import type { Connection } from './connection.js';
import { DurableGroups } from './durable-groups.js';
import { isReadOnly, isUnknownScript, NotSent } from './failures.js';
import type { Link, LinkListener } from './link.js';
import type { Argument, OnMessage, Redis, RedisStats } from './redis.js';
import { Restorer } from './restorer.js';
import type { Script } from './script.js';
import { OneServer, type Servers } from './servers.js';
import { Subscriptions } from './subscriptions.js';
import { type Task, Tasks } from './tasks.js';

const PROBE_INTERVAL_MS = 500;
/** Replicas may take this part of the deadline, so that whoever waits can be told that it was they who did not come. */
const WAIT_SHARE = 0.8;
/** How many channels are subscribed to anew at once. */
const SUBSCRIBED_AT_ONCE = 500;

export interface SharedRedisOptions {
  readonly settings: RedisSettings;
  readonly onFailure: (error: unknown) => void;
}

type Send = (connection: Connection, isAsking: boolean) => Promise<unknown>;
type Sender = (key: string, send: Send) => Promise<unknown>;

export class SharedRedis implements Redis {
  readonly servers: Servers;
  private readonly settings: RedisSettings;
  private readonly tasks: Tasks;
  private readonly durableGroups: DurableGroups;
  private readonly subscriptions: Subscriptions;
  private readonly restorer: Restorer;
  private readonly restores: (() => Promise<void>)[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor({ settings, onFailure }: SharedRedisOptions) {
    this.settings = settings;
    this.tasks = new Tasks(settings.deadlineMs);
    this.durableGroups = new DurableGroups(settings.minReplicas, settings.deadlineMs * WAIT_SHARE);
    this.subscriptions = new Subscriptions(() => this.servers);
    this.restorer = new Restorer({
      isConnected: () => this.servers.isReady,
      restore: () => this.restore(),
      onFailure,
    });
    this.servers = openServers(settings, {
      onReady: () => this.restorer.look(),
      onBreak: () => this.restorer.break(),
      onMoved: () => {},
      onFailure,
      onMessage: (channel, message) => this.subscriptions.tell(channel, message),
    });
    this.timer = setInterval(() => {
      this.servers.probe();
      this.restorer.look();
    }, PROBE_INTERVAL_MS).unref();
  }

  get waitsForReplicas(): boolean {
    return this.settings.minReplicas > 0;
  }

  get isAvailable(): boolean {
    return this.restorer.isRestored && this.servers.isReady;
  }

  get stats(): RedisStats {
    const lags = this.servers.links.map(({ lagMs }) => lagMs).filter((lag) => lag !== null);
    return {
      commands: this.tasks.times.read(),
      waiting: this.tasks.waiting,
      breaks: this.restorer.breakCount,
      lagMs: lags.length === 0 ? null : Math.max(...lags),
    };
  }

  /** The first connection stands: from now on what breaks is restored. */
  start(): void {
    this.restorer.start();
  }

  key(kind: string, tag: string, part?: string): string {
    const name = `${this.settings.prefix}:${kind}:{${tag}}`;
    return part === undefined ? name : `${name}:${part}`;
  }

  channel(kind: string, tag: string): string {
    const { address } = this.settings;
    return this.key(kind, tag, `channel@${address.kind === 'cluster' ? 0 : address.db}`);
  }

  call(name: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.tasks.run(() => this.route(String(args[0] ?? ''), commandOf(name, args)));
  }

  callEach(name: string, ...args: readonly Argument[]): Promise<readonly unknown[]> {
    return this.tasks.run(async () => {
      if (!this.servers.isReady) throw new NotSent();
      return Promise.all(this.servers.links.map(({ commands }) => commands.send(name, ...args)));
    });
  }

  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return this.tasks.run(() => evaluate(script, keys, args, (key, send) => this.route(key, send)));
  }

  runDurably(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (this.settings.minReplicas === 0) return this.run(script, keys, args);
    return this.tasks.run((task) =>
      evaluate(script, keys, args, (key, send) => this.routeDurably(key, send, task)),
    );
  }

  async subscribe(channel: string, onMessage: OnMessage): Promise<() => void> {
    const unsubscribe = this.subscriptions.add(channel, onMessage);
    try {
      await this.tasks.run(async () => {
        try {
          await this.subscriptions.send(channel);
        } catch (error) {
          this.servers.redirect(error);
          throw error;
        }
      });
      return unsubscribe;
    } catch (error) {
      unsubscribe();
      throw error;
    }
  }

  onRestored(restore: () => Promise<void>): void {
    this.restores.push(restore);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.restorer.close();
    this.tasks.close();
    this.servers.close();
  }

  private route(key: string, send: Send): Promise<unknown> {
    return this.toServer(key, (link, isAsking) => send(link.commands, isAsking));
  }

  private routeDurably(key: string, send: Send, task: Task): Promise<unknown> {
    return this.toServer(key, (link, isAsking) => {
      const { durable } = link;
      if (durable === null) throw new NotSent();
      return this.durableGroups.add(
        link,
        () => send(durable, isAsking),
        () => task.isOver,
      );
    });
  }

  /** Sends to whoever has the key, and learns from the answer. */
  private async toServer(
    key: string,
    send: (link: Link, isAsking: boolean) => Promise<unknown>,
  ): Promise<unknown> {
    const link = this.servers.linkOf(key);
    if (link === null) throw new NotSent();
    try {
      return await send(link, false);
    } catch (error) {
      // Its clients may not have heard that it is the primary no more.
      if (isReadOnly(error)) link.renew();
      const redirection = this.servers.redirect(error);
      if (redirection === null) throw error;
      return send(redirection.link, redirection.isAsking);
    }
  }

  private async restore(): Promise<void> {
    await Promise.all(this.servers.links.map((link) => link.verify()));
    const lapsed = [...this.subscriptions.lapsed];
    while (lapsed.length > 0) {
      const some = lapsed.splice(0, SUBSCRIBED_AT_ONCE);
      await Promise.all(some.map((channel) => this.subscriptions.send(channel)));
    }
    for (const restore of this.restores) await restore();
  }
}

function openServers(settings: RedisSettings, listener: LinkListener): Servers {
  const { address } = settings;
  return address.kind === 'cluster'
    ? new ClusterServers(settings, address.nodes, listener)
    : new OneServer(settings, listener);
}

function commandOf(name: string, args: readonly Argument[]): Send {
  return (connection, isAsking) =>
    isAsking ? connection.sendAsking(name, ...args) : connection.send(name, ...args);
}

/**
 * Runs a script by its hash, behind the first time on each connection; where Redis does not know it any more, nothing was
 * executed, and it is told the text.
 */
async function evaluate(
  script: Script,
  keys: readonly string[],
  args: readonly Argument[],
  sendTo: Sender,
): Promise<unknown> {
  const [first = ''] = keys;
  const rest = [keys.length, ...keys, ...args];
  try {
    return await sendTo(first, evaluation(script, rest));
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return sendTo(first, commandOf('EVAL', [script.lua, ...rest]));
  }
}

/** What is sent behind the text on the same connection comes when Redis knows the script already. */
function evaluation(script: Script, rest: readonly Argument[]): Send {
  return async (connection, isAsking) => {
    const { toldScripts } = connection;
    const isTold = toldScripts.has(script.sha1);
    toldScripts.add(script.sha1);
    const send = isTold
      ? commandOf('EVALSHA', [script.sha1, ...rest])
      : commandOf('EVAL', [script.lua, ...rest]);
    try {
      return await send(connection, isAsking);
    } catch (error) {
      // The text may not have arrived, or was refused before it was read.
      if (!isTold || isUnknownScript(error)) toldScripts.delete(script.sha1);
      throw error;
    }
  };
}
