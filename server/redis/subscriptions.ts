import { NotSent } from './failures.js';
import type { Link } from './link.js';
import type { OnMessage } from './redis.js';
import type { Servers } from './servers.js';

interface Subscription {
  readonly listeners: Set<OnMessage>;
  /** The connection on which Redis has said that it sends messages. */
  link: Link | null;
  connection: number;
}

/** Who listens to which channel, and on which connection. */
export class Subscriptions {
  private readonly byChannel = new Map<string, Subscription>();

  constructor(private readonly servers: () => Servers) {}

  tell(channel: Buffer, message: Buffer): void {
    for (const tell of this.byChannel.get(channel.toString())?.listeners ?? []) tell(message);
  }

  /** @returns what ends it. Nothing comes before `send` has resolved. */
  add(channel: string, onMessage: OnMessage): () => void {
    const subscription = this.byChannel.get(channel) ?? {
      listeners: new Set(),
      link: null,
      connection: 0,
    };
    this.byChannel.set(channel, subscription);
    subscription.listeners.add(onMessage);
    return () => {
      subscription.listeners.delete(onMessage);
      const isUsed = subscription.listeners.size > 0;
      if (isUsed || this.byChannel.get(channel) !== subscription) return;
      this.byChannel.delete(channel);
      // On a connection that is gone nothing comes anyway.
      subscription.link?.subscriber.unsubscribe(channel).catch(() => {});
    };
  }

  /** Subscribes on the connection of whoever has the channel now. */
  async send(channel: string): Promise<void> {
    const link = this.servers().linkOf(channel);
    const subscription = this.byChannel.get(channel);
    if (link === null) throw new NotSent();
    if (subscription === undefined || isOn(subscription, link)) return;
    const former = subscription.link;
    const { count } = link.subscriber;
    await link.subscriber.subscribe(channel);
    subscription.link = link;
    subscription.connection = count;
    if (former !== null && former !== link) former.subscriber.unsubscribe(channel).catch(() => {});
    // The last one has gone meanwhile, and nobody has come: whoever came has no other subscription than this one.
    if (!this.byChannel.has(channel)) {
      link.subscriber.unsubscribe(channel).catch(() => {});
    }
  }

  /** What is subscribed to no more, or where messages come no more. */
  get lapsed(): readonly string[] {
    const servers = this.servers();
    return [...this.byChannel].flatMap(([channel, subscription]) => {
      const link = servers.linkOf(channel);
      return link !== null && isOn(subscription, link) ? [] : [channel];
    });
  }
}

function isOn({ link, connection }: Subscription, wanted: Link): boolean {
  return link === wanted && connection === wanted.subscriber.count;
}
