import { Redis as IoRedis } from 'ioredis';
import type { ConnectionOptions } from './connection-options.js';
import { NotSent, withoutArguments } from './failures.js';
import type { Argument } from './redis.js';

/** Lets what was sent meanwhile be answered, before a connection that leads nowhere is given up. */
const LEAVING_MS = 20;
/** Before a connection is made anew that ioredis has given up. */
const REVIVAL_MS = 200;

export interface ConnectionListener {
  onReady(): void;
  /** It was ready, and is no more. */
  onBreak(): void;
  /** Why it cannot be made, or was lost; told each time. */
  onFailure(error: Error): void;
  onMessage?(channel: Buffer, message: Buffer): void;
  /** The server has ended a subscription by itself: the channel's slot has moved. */
  onUnsubscribed?(): void;
}

/** One connection, made anew for as long as it takes. */
export class Connection {
  /** How often it was ready: what was subscribed to on an earlier one is gone. */
  count = 0;
  /** The hashes of scripts that the server was told on this connection, and knows for all that is sent behind. */
  readonly toldScripts = new Set<string>();
  private readonly client: IoRedis;
  private readonly listener: ConnectionListener;
  private wasReady = false;
  private leaving: NodeJS.Timeout | null = null;
  private reviving: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(options: ConnectionOptions, listener: ConnectionListener) {
    this.listener = listener;
    this.client = new IoRedis(options);
    const secrets = [options.password, options.sentinelPassword].filter((one) => one != null);
    this.client.on('error', (error: Error) => {
      listener.onFailure(withoutArguments(error, secrets));
    });
    this.client.on('ready', () => {
      // It may have been lost in the same turn.
      if (this.client.status !== 'ready') return;
      this.count++;
      this.toldScripts.clear();
      this.wasReady = true;
      listener.onReady();
    });
    this.client.on('close', () => this.onClose());
    this.client.on('end', () => this.revive());
    this.client.on('smessageBuffer', (channel: Buffer, message: Buffer) =>
      listener.onMessage?.(channel, message),
    );
    this.client.on('moved', () => listener.onUnsubscribed?.());
    this.connect();
  }

  get isReady(): boolean {
    return this.wasReady && this.client.status === 'ready' && this.leaving === null;
  }

  /** @throws NotSent while there is no connection; whatever Redis answers. */
  async send(name: string, ...args: readonly Argument[]): Promise<unknown> {
    if (!this.isReady) throw new NotSent();
    return this.client.callBuffer(name, ...args).catch(rethrow);
  }

  /** As `send`, of a key whose slot is on its way to this server. */
  async sendAsking(name: string, ...args: readonly Argument[]): Promise<unknown> {
    if (!this.isReady) throw new NotSent();
    this.client.asking().catch(() => {});
    return this.client.callBuffer(name, ...args).catch(rethrow);
  }

  async subscribe(channel: string): Promise<void> {
    if (!this.isReady) throw new NotSent();
    await this.client.ssubscribe(channel).catch(rethrow);
  }

  async unsubscribe(channel: string): Promise<void> {
    if (!this.isReady) throw new NotSent();
    await this.client.sunsubscribe(channel).catch(rethrow);
  }

  /** Gives this connection up for another one. */
  renew(): void {
    if (!this.isReady || this.isClosed) return;
    this.leaving = setTimeout(() => {
      // While it is being made, ioredis would take this for the end of it.
      if (this.client.status === 'ready') this.client.disconnect(true);
      else this.leaving = null;
    }, LEAVING_MS);
    this.tellOfBreak();
  }

  close(): void {
    this.isClosed = true;
    for (const timer of [this.leaving, this.reviving]) if (timer !== null) clearTimeout(timer);
    this.client.disconnect();
  }

  private connect(): void {
    // Failures are told of as errors.
    this.client.connect().catch(() => {});
  }

  private onClose(): void {
    if (this.leaving !== null) clearTimeout(this.leaving);
    this.leaving = null;
    this.tellOfBreak();
  }

  private tellOfBreak(): void {
    if (!this.wasReady) return;
    this.wasReady = false;
    if (!this.isClosed) this.listener.onBreak();
  }

  /** A Sentinel that tells of a fail-over while it is asked makes ioredis give up for good. */
  private revive(): void {
    if (this.isClosed || this.reviving !== null) return;
    this.reviving = setTimeout(() => {
      this.reviving = null;
      if (this.client.status === 'end') this.connect();
    }, REVIVAL_MS);
  }
}

function rethrow(error: unknown): never {
  throw withoutArguments(error);
}
