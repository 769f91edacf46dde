import type { HostAndPort, RedisSettings } from '../config.js';
import { Connection } from './connection.js';
import { connectionOptions } from './connection-options.js';
import { NotSent } from './failures.js';
import type { OnMessage } from './redis.js';

export interface LinkListener {
  /** All its connections are there. */
  onReady(): void;
  /** Messages or commands may have been lost. */
  onBreak(): void;
  onFailure(error: unknown): void;
  readonly onMessage: (channel: Buffer, message: Parameters<OnMessage>[0]) => void;
  /** The slots lie otherwise than was known. */
  onMoved(): void;
}

/** What is known of the server that answers. */
interface Probe {
  readonly connection: Connection;
  readonly limitMs: number;
  sentAt: number | null;
  /** How long the last answer took; `null`: there was none on this connection. */
  tookMs: number | null;
}

/** The connections to one server, each for what must not wait for the others. */
export class Link {
  readonly commands: Connection;
  readonly subscriber: Connection;
  /** For commands that wait for replicas, and let all behind them wait; `null` where none does. */
  readonly durable: Connection | null;
  private readonly connections: readonly Connection[];
  private readonly probes: readonly Probe[];
  private readonly listener: LinkListener;
  /** Which history of the data set the server goes on with; `null`: not yet known of this connection. */
  private history: string | null = null;

  /** @param at a server of a cluster; `null`: where the settings say. */
  constructor(
    settings: RedisSettings,
    readonly at: HostAndPort | null,
    listener: LinkListener,
  ) {
    this.listener = listener;
    const { deadlineMs } = settings;
    const open = (silenceMs: number) =>
      new Connection(connectionOptions(settings, at, silenceMs), {
        onReady: () => this.onReady(),
        onBreak: () => this.onBreak(),
        onFailure: (error) => listener.onFailure(error),
        onMessage: listener.onMessage,
        onUnsubscribed: () => listener.onMoved(),
      });
    this.commands = open(deadlineMs);
    this.subscriber = open(deadlineMs);
    // It is silent while replicas are waited for, which takes no longer than the deadline.
    this.durable = settings.minReplicas === 0 ? null : open(2 * deadlineMs);
    this.connections = [this.commands, this.subscriber, ...(this.durable ? [this.durable] : [])];
    this.probes = this.connections.map((connection) => ({
      connection,
      limitMs: connection === this.durable ? 2 * deadlineMs : deadlineMs,
      sentAt: null,
      tookMs: null,
    }));
  }

  get isReady(): boolean {
    return this.connections.every(({ isReady }) => isReady);
  }

  /** A peer that is gone without a word is noticed by what it does not answer. */
  probe(): void {
    for (const probe of this.probes) {
      if (!probe.connection.isReady) continue;
      if (probe.sentAt === null) void this.ask(probe);
      else if (performance.now() - probe.sentAt > probe.limitMs) probe.connection.renew();
    }
  }

  /** How long the subscriber's connection takes for a question, the one among them that is not answered yet. */
  get lagMs(): number | null {
    const probe = this.probes.find(({ connection }) => connection === this.subscriber);
    if (probe === undefined || !this.subscriber.isReady) return null;
    const { sentAt, tookMs } = probe;
    const unansweredMs = sentAt === null ? 0 : performance.now() - sentAt;
    return tookMs === null && sentAt === null ? null : Math.max(unansweredMs, tookMs ?? 0);
  }

  renew(): void {
    for (const connection of this.connections) connection.renew();
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }

  /** @throws Error if its server takes no writes. */
  async verify(): Promise<void> {
    const { count } = this.commands;
    this.look(String(await this.commands.send('INFO', 'replication')), count);
  }

  private onReady(): void {
    if (this.isReady) this.listener.onReady();
  }

  private onBreak(): void {
    this.history = null;
    this.listener.onBreak();
  }

  private async ask(probe: Probe): Promise<void> {
    const { connection } = probe;
    const sentAt = performance.now();
    probe.sentAt = sentAt;
    try {
      if (connection === this.commands) await this.verify();
      else await connection.send('PING');
      probe.tookMs = performance.now() - sentAt;
    } catch (error) {
      probe.tookMs = null;
      this.listener.onFailure(error);
    } finally {
      probe.sentAt = null;
    }
  }

  /** A fail-over may leave the connection as it is. */
  private look(info: string, count: number): void {
    // What is said of a connection that was lost meanwhile says nothing of this one.
    if (count !== this.commands.count) throw new NotSent();
    if (!/^role:master/m.test(info)) {
      // Whoever is asked for the primary now says where it is.
      this.renew();
      throw new Error('the server is a replica');
    }
    const history = /^master_replid:(\w+)/m.exec(info)?.[1] ?? '';
    const hasChanged = this.history !== null && this.history !== history;
    this.history = history;
    if (hasChanged) this.listener.onBreak();
  }
}
