import { setTimeout as pause } from 'node:timers/promises';
import { tryToPublish } from '../support/nodes.js';
import type { Random } from '../support/random.js';
import type { Ledger, Publication } from './ledger.js';

/** How long an answer is waited for before the request is repeated elsewhere. */
const ANSWER_MS = 3_000;
/** How long the same events are tried before nobody knows what became of them. */
const PATIENCE_MS = 40_000;
const PAUSE_MS = { least: 20, most: 250 };
const MOST_EVENTS = 4;
const RETRY_MS = 100;

export interface PublisherOptions {
  readonly url: string;
  /** A token for its workspace, asked for each time. */
  readonly token: () => string;
  readonly workspace: string;
  readonly topic: string;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Publishes numbered events to one topic until it is told to stop; one request at a time, each until it is answered. */
export async function runPublisher(options: PublisherOptions): Promise<void> {
  const { workspace, topic, ledger, random, signal } = options;
  let n = 0;
  while (!signal.aborted) {
    const batch = Array.from(
      { length: random.between(1, MOST_EVENTS) },
      (): Publication => ({ workspace, topic, n: ++n }),
    );
    const cursors = await publishBatch(options, batch);
    for (const [index, publication] of batch.entries()) {
      const cursor = cursors?.[index];
      if (cursor === undefined) ledger.giveUp(publication);
      else ledger.take(publication, cursor);
    }
    await pause(random.between(PAUSE_MS.least, PAUSE_MS.most));
  }
}

/** The cursors, or `null` if nobody took the batch for too long. */
async function publishBatch(
  { url, token, workspace }: PublisherOptions,
  batch: readonly Publication[],
): Promise<readonly string[] | null> {
  const endsAt = performance.now() + PATIENCE_MS;
  const idempotencyKey = crypto.randomUUID();
  // The same bytes each time: with its key, another body is refused.
  const events = batch.map(({ topic, n }) => ({
    topic,
    type: 'soak.event',
    data: { workspace, topic, n, at: Date.now() },
  }));
  while (performance.now() < endsAt) {
    const options = { workspace, idempotencyKey, deadlineMs: ANSWER_MS };
    const answer = await tryToPublish(url, token(), events, options);
    if (answer.status === 201) return answer.cursors;
    if (answer.status !== 0 && answer.status < 500 && answer.status !== 429) {
      throw new Error(`publishing was answered ${answer.status} ${answer.code}`);
    }
    await pause(RETRY_MS);
  }
  return null;
}
