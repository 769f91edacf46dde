import type { HostAndPort, RedisSettings } from '../config.js';
import { addressText, askForView, type ClusterView, readRedirection } from './cluster-view.js';
import { Connection } from './connection.js';
import { connectionOptions } from './connection-options.js';
import { SLOTS, slotOf } from './key-slot.js';
import { Link, type LinkListener } from './link.js';
import type { Redirection, Servers } from './servers.js';

/** So many servers are asked for their view of the cluster at once. */
const MAX_ASKED = 5;
/** How long a connection is kept that was only needed for slots on their way. */
const GUEST_MS = 10_000;

/** The primaries of a cluster. It follows slots, wherever they go. */
export class ClusterServers implements Servers {
  private readonly settings: RedisSettings;
  private readonly seeds: readonly HostAndPort[];
  private readonly listener: LinkListener;
  private readonly primaries = new Map<string, Link>();
  /** Servers that have no slots as yet, by when they were needed last. */
  private readonly guests = new Map<string, { readonly link: Link; usedAt: number }>();
  private readonly linkBySlot: (Link | undefined)[] = new Array(SLOTS);
  private view: ClusterView | null = null;
  private isLooking = false;
  private isClosed = false;

  constructor(settings: RedisSettings, seeds: readonly HostAndPort[], listener: LinkListener) {
    this.settings = settings;
    this.seeds = seeds;
    this.listener = { ...listener, onMoved: () => void this.look() };
    void this.look();
  }

  get links(): readonly Link[] {
    return [...this.primaries.values()];
  }

  get isReady(): boolean {
    return this.primaries.size > 0 && this.links.every(({ isReady }) => isReady);
  }

  linkOf(key: string): Link | null {
    return this.linkBySlot[slotOf(key)] ?? null;
  }

  redirect(error: unknown): Redirection | null {
    const redirection = readRedirection(error);
    if (redirection === null) return null;
    const { kind, at } = redirection;
    if (kind === 'ASK') return at === null ? null : { link: this.guest(at), isAsking: true };
    void this.look();
    return null;
  }

  probe(): void {
    for (const link of this.primaries.values()) link.probe();
    void this.look();
    const before = performance.now() - GUEST_MS;
    for (const [name, { link, usedAt }] of this.guests) {
      if (usedAt > before) continue;
      this.guests.delete(name);
      link.close();
    }
  }

  close(): void {
    this.isClosed = true;
    for (const link of this.primaries.values()) link.close();
    for (const { link } of this.guests.values()) link.close();
  }

  private guest(at: HostAndPort): Link {
    const name = addressText(at);
    const primary = this.primaries.get(name);
    if (primary !== undefined) return primary;
    const link = this.guests.get(name)?.link ?? this.open(at, true);
    this.guests.set(name, { link, usedAt: performance.now() });
    return link;
  }

  private open(at: HostAndPort, isGuest: boolean): Link {
    const { listener } = this;
    // Whether a guest comes or goes changes nothing for what is subscribed to.
    const silent = { ...listener, onReady: () => {}, onBreak: () => {} };
    return new Link(this.settings, at, isGuest ? silent : listener);
  }

  /** Finds out who has which slots. */
  private async look(): Promise<void> {
    if (this.isLooking || this.isClosed) return;
    this.isLooking = true;
    try {
      const views = await this.askAll();
      const [newest] = views.toSorted((a, b) => b.epoch - a.epoch);
      if (newest !== undefined && !this.isClosed) this.take(newest);
    } finally {
      this.isLooking = false;
    }
  }

  private async askAll(): Promise<ClusterView[]> {
    const ready = this.links.filter(({ commands }) => commands.isReady);
    const asked = shuffled(ready).slice(0, MAX_ASKED);
    const answers = await Promise.allSettled(
      asked.map(({ commands, at }) => askForView(commands, at as HostAndPort)),
    );
    const views = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    return views.length > 0 ? views : this.askSeed();
  }

  /** Nobody who is known answers: the servers that the settings name know who is there. */
  private async askSeed(): Promise<ClusterView[]> {
    for (const seed of shuffled([
      ...this.seeds,
      ...this.links.map(({ at }) => at as HostAndPort),
    ])) {
      if (this.isClosed) return [];
      try {
        return [await this.askAt(seed)];
      } catch (error) {
        this.listener.onFailure(error);
      }
    }
    return [];
  }

  private async askAt(at: HostAndPort): Promise<ClusterView> {
    const { deadlineMs } = this.settings;
    const { promise, resolve, reject } = withResolvers();
    const connection = new Connection(connectionOptions(this.settings, at, deadlineMs), {
      onReady: resolve,
      onBreak: () => {},
      onFailure: reject,
    });
    const timer = setTimeout(() => reject(new Error('the server does not answer')), deadlineMs);
    try {
      await promise;
      return await askForView(connection, at);
    } finally {
      clearTimeout(timer);
      connection.close();
    }
  }

  private take(view: ClusterView): void {
    const names = new Set(view.ranges.map(({ primary }) => addressText(primary)));
    const hasChanged = JSON.stringify(view.ranges) !== JSON.stringify(this.view?.ranges);
    this.view = view;
    if (!hasChanged) return;
    const isFirst = this.primaries.size === 0;
    this.linkBySlot.fill(undefined);
    for (const { from, to, primary } of view.ranges) {
      this.linkBySlot.fill(this.primary(primary), from, to + 1);
    }
    for (const [name, link] of this.primaries) {
      if (names.has(name)) continue;
      this.primaries.delete(name);
      link.close();
    }
    if (!isFirst) this.listener.onBreak();
  }

  private primary(at: HostAndPort): Link {
    const name = addressText(at);
    const link = this.primaries.get(name) ?? this.open(at, false);
    this.primaries.set(name, link);
    const guest = this.guests.get(name);
    if (guest !== undefined && guest.link !== link) guest.usedAt = 0;
    return link;
  }
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers() {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
