import { expect, it } from '@jest/globals';
import { parseCursor } from '@sluice/protocol';
import {
  type ConnectionState,
  type FetchLike,
  RealtimeClient,
  type RealtimeError,
} from '@sluice/sdk';
import { startLoadBalancer } from '../support/load-balancer.js';
import { publishUntilTaken, startNodes } from '../support/nodes.js';
import { numbered, numberOf, WORKSPACE } from '../support/playground.js';
import type { Service } from '../support/service.js';
import { describeWith } from '../support/tools.js';
import { until } from '../support/until.js';

const NODES = 3;
const CLIENTS = 40;
const PUBLISHERS = 4;
/** Clients get as long on top of their own time in it. */
const DRAIN_MS = 2_000;
/** How far apart the numbers of two publishers begin. */
const RANGE = 1_000_000;
/** On a busy machine, Redis is not to be taken for gone: that is for other tests. */
const ENV = { DRAIN_MS: String(DRAIN_MS), REDIS_DEADLINE_MS: '10000' };
const TEST_DEADLINE_MS = 120_000;

describeWith('redis-server', 'a rolling restart of three nodes under load', () => {
  it(
    'loses, doubles and swaps nothing, is not seen by any client, and brings no storm',
    async () => {
      await using nodes = await startNodes({ count: NODES, env: ENV });
      const services = nodes.nodes.map(({ service }) => service);
      await using balancer = await startLoadBalancer(() => services.map(({ port }) => port));
      const token = nodes.issuer.mint();
      const watched = Array.from({ length: CLIENTS }, () => new WatchedClient(balancer.url, token));
      try {
        await Promise.all(watched.map(({ ready }) => ready));
        const publishing = startPublishers(balancer.url, token);
        for (const service of services) {
          const moving = balancer.connectionsTo(service.port);
          const startedAt = performance.now();
          await restart(service);
          const moves = opensSince(watched, startedAt);
          // Publishers have connections, too; whoever had the node has left it, in a time of its own.
          expect(moving).toBeGreaterThan(CLIENTS / NODES / 2);
          expect(moves.length).toBeGreaterThan(CLIENTS / NODES / 2);
          expect(Math.max(...moves) - Math.min(...moves)).toBeGreaterThan(DRAIN_MS / 4);
        }
        const published = await publishing.stop();
        expect(published.length).toBeGreaterThan(100);
        for (const client of watched) {
          await until('all has come', () => client.numbers.length >= published.length);
          expect(client.faults(published)).toEqual([]);
          // It moves once for each restart of the node that it is on.
          expect(client.opens.length).toBeLessThanOrEqual(1 + 2 * NODES);
        }
        // Over a connection that was kept alive, a move may meet the node that is on its way down. That is told, and nearly
        // always made good while the stream goes on. All others have seen nothing.
        const told = watched.flatMap(({ errors }) => errors);
        expect(told.slice(CLIENTS / 4)).toEqual([]);
        expect(told.filter(({ willRetry }) => !willRetry)).toEqual([]);
        for (const { states } of watched.filter(({ errors }) => errors.length === 0)) {
          expect(states).toEqual(['authorizing', 'connecting', 'connected']);
        }
        const opens = watched.reduce((sum, client) => sum + client.opens.length, 0);
        expect(opens).toBeLessThanOrEqual(CLIENTS * (1 + NODES));
      } finally {
        for (const { client } of watched) client.close();
      }
    },
    TEST_DEADLINE_MS,
  );
});

/** One client of the SDK, and what it is put through. */
class WatchedClient {
  readonly client: RealtimeClient;
  readonly ready: Promise<void>;
  readonly states: ConnectionState[] = [];
  /** When it has asked for a stream, on the clock of `performance`. */
  readonly opens: number[] = [];
  readonly numbers: number[] = [];
  readonly errors: RealtimeError[] = [];
  readonly #offsets: number[] = [];
  readonly #faults: string[] = [];

  constructor(url: string, token: string) {
    const watchedFetch: FetchLike = (address, init) => {
      this.opens.push(performance.now());
      return fetch(address, init as RequestInit) as ReturnType<FetchLike>;
    };
    this.client = new RealtimeClient({
      endpoint: url,
      workspace: WORKSPACE,
      token,
      fetch: watchedFetch,
      onError: (error) => this.errors.push(error),
    });
    this.client.onStateChange((state) => this.states.push(state));
    this.ready = this.client.subscribe({
      onEvent: (event, { cursor }) => {
        this.numbers.push(numberOf(event));
        this.#offsets.push(parseCursor(cursor)?.offset ?? Number.NaN);
      },
      onGap: (gap) => this.#faults.push(`a gap: ${gap.reason}`),
    }).ready;
  }

  /** What is wrong, now that all these numbers were published, each publisher's in their order. */
  faults(published: readonly number[]): string[] {
    const faults = [...this.#faults];
    const isRising = this.#offsets.every((offset, at) => offset > (this.#offsets[at - 1] ?? 0));
    if (!isRising) faults.push('cursors that do not rise');
    for (let publisher = 0; publisher < PUBLISHERS; publisher++) {
      const isOwn = (number: number): boolean => Math.floor(number / RANGE) === publisher;
      const [want, got] = [published.filter(isOwn), this.numbers.filter(isOwn)];
      if (String(want) !== String(got)) faults.push(`publisher ${publisher}: ${got} for ${want}`);
    }
    return faults;
  }
}

/** Publishes from several sides, one event after another, until it is stopped; tells what was taken. */
function startPublishers(url: string, token: string): { stop(): Promise<readonly number[]> } {
  let isOver = false;
  const run = async (publisher: number): Promise<number[]> => {
    const taken: number[] = [];
    for (let n = publisher * RANGE; !isOver; n++) {
      await publishUntilTaken(() => url, token, numbered(n, n));
      taken.push(n);
    }
    return taken;
  };
  const runs = Promise.all(Array.from({ length: PUBLISHERS }, (_, index) => run(index)));
  // It is looked at in the end: a failure before is not without a handler.
  runs.catch(() => {});
  return {
    stop: async () => {
      isOver = true;
      return (await runs).flat();
    },
  };
}

async function restart(service: Service): Promise<void> {
  expect(await service.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  await service.start();
}

/** When clients have asked for a stream since. */
function opensSince(watched: readonly WatchedClient[], startedAt: number): number[] {
  return watched.flatMap(({ opens }) => opens.filter((openedAt) => openedAt >= startedAt));
}
