import { setTimeout as pause } from 'node:timers/promises';
import { RealtimeClient } from '@sluice/sdk';
import type { Random } from '../support/random.js';
import { type SoakSubscriber, type Wish, Witness } from './witness.js';
import { HEARTBEAT_MS } from './world.js';

/** How a subscriber behaves. */
export type Habit = 'steady' | 'slow' | 'fleeting';

export interface SdkSubscriberOptions extends Wish {
  readonly url: string;
  /** A token for its workspace, as often as it asks. */
  readonly token: () => string;
  readonly habit: Habit;
  readonly random: Random;
  readonly signal: AbortSignal;
}

const STAY_MS = { least: 2_000, most: 15_000 };
const AWAY_MS = { least: 200, most: 4_000 };
/** What a slow reader waits for before each piece of a body. */
const SLOW_MS = 150;

/** A client of the SDK that keeps its cursor. */
export class SdkSubscriber implements SoakSubscriber {
  readonly witness: Witness;
  readonly #options: SdkSubscriberOptions;
  #client: RealtimeClient | null = null;

  constructor(options: SdkSubscriberOptions) {
    this.#options = options;
    this.witness = new Witness(options);
  }

  get name(): string {
    const { habit, workspace, topics } = this.#options;
    return `a ${habit} subscriber of ${workspace} (${topics.join(' ') || 'all topics'})`;
  }

  get isPrompt(): boolean {
    return this.#options.habit === 'steady';
  }

  /** Subscribes, and comes and goes if that is its habit, until it is told to stay. */
  async run(): Promise<void> {
    const { habit, random, signal } = this.#options;
    await this.#open();
    if (habit !== 'fleeting') return;
    while (!signal.aborted) {
      await stay(random.between(STAY_MS.least, STAY_MS.most), signal);
      if (signal.aborted) return;
      this.close();
      await stay(random.between(AWAY_MS.least, AWAY_MS.most), signal);
      await this.#open();
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
    this.witness.onAway();
  }

  async #open(): Promise<void> {
    const { url, token, workspace, topics, habit } = this.#options;
    const { witness } = this;
    const client = new RealtimeClient({
      endpoint: url,
      workspace,
      getToken: () => token(),
      backoff: { baseMs: 100, ceilMs: 2_000 },
      heartbeatTimeoutMs: 6 * HEARTBEAT_MS,
      ...(habit === 'slow' && { fetch: slowFetch }),
    });
    this.#client = client;
    witness.onDown();
    const subscription = client.subscribe({
      topics: topics.length === 0 ? undefined : topics,
      lastEventId: witness.cursor ?? undefined,
      onEvent: (event, { cursor }) => witness.onEvent(event, cursor),
      onConnected: (_, { cursor }) => witness.onUp(cursor),
      onDisconnected: () => witness.onDown(),
      onGap: ({ from }, { cursor }) => witness.onGap(from, cursor),
      onError: (error) => {
        if (!error.willRetry) witness.faults.push(`${error.code} ${error.message}`);
      },
    });
    // It may be closed before it is let in.
    await subscription.ready.catch(() => {});
  }
}

async function stay(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => {});
}

/** Takes a body piece by piece, with pauses; what waits meanwhile fills the buffers up to the service. */
const slowFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (response.body === null || response.status !== 200) return response;
  const slow = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(piece, controller) {
        await pause(SLOW_MS);
        controller.enqueue(piece);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(slow, { status, statusText, headers });
};
