import type { RootDatabase } from 'lmdb';
import type { RetentionRules } from '../config.js';
import { chunksFrom } from './chunk-reader.js';
import { type Bounds, Cut, isOver } from './cut.js';
import { decodeState, encodeState, idempotencyKey, type WorkspaceState } from './entry-codec.js';
import { Retentions } from './retention.js';
import type { Tables } from './tables.js';
import { transact } from './transact.js';

const SWEEP_INTERVAL_MS = 60_000;
/** Entries removed from a workspace in one transaction, so that no append waits long behind a trim. */
const MAX_REMOVED = 1_000;
const WORKSPACES_A_TURN = 500;

/** Keeps each workspace's history within its bounds: by count and bytes with each append, by age once a minute. */
export class Trimmer {
  private readonly timer: NodeJS.Timeout;
  private readonly retentions: Retentions;
  private sweeping: Promise<void> | null = null;
  private stopped = false;

  constructor(
    private readonly root: RootDatabase<Buffer, Uint8Array>,
    private readonly tables: Tables,
    retention: RetentionRules,
    /** Told how many entries a sweep has removed. */
    private readonly onRemoved: (entries: number) => void,
  ) {
    this.retentions = new Retentions(retention);
    this.timer = setInterval(() => void this.sweep(), SWEEP_INTERVAL_MS).unref();
  }

  /** Resolves when nothing is being swept any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.sweeping;
  }

  /**
   * Removes what is too much or too old from the front of a workspace, and says what is left. Runs within a transaction.
   * @param appended entries that this transaction has added: twice as many may go, so that the bounds hold in the end.
   */
  trim(workspace: string, state: WorkspaceState, appended = 0): WorkspaceState {
    const bounds = this.boundsFor(workspace, state);
    if (!isOver(state, bounds)) return state;
    const cut = new Cut(state, bounds, Math.max(MAX_REMOVED, 2 * appended));
    for (const found of chunksFrom(this.tables.entries, workspace, state.oldest + 1)) {
      if (!cut.goesThrough(found)) break;
    }
    for (const key of cut.chunks) this.tables.entries.removeSync(key);
    for (const hash of cut.hashes) {
      this.tables.idempotency.removeSync(idempotencyKey(workspace, hash));
    }
    return cut.state;
  }

  private stateOf(workspace: string): WorkspaceState {
    return decodeState(this.tables.states.get(Buffer.from(workspace)));
  }

  /** A workspace that is over a bound is cut a sixteenth below it, so that trimming comes in runs and not each time. */
  private boundsFor(workspace: string, state: WorkspaceState): Bounds {
    const { maxEvents, maxBytes, maxAgeSeconds } = this.retentions.of(workspace);
    const isOver = state.head - state.oldest > maxEvents || state.bytes > maxBytes;
    const share = isOver ? 15 / 16 : 1;
    return {
      events: Math.ceil(maxEvents * share),
      bytes: maxBytes * share,
      appendedSince: Date.now() - maxAgeSeconds * 1_000,
    };
  }

  /** Removes what is too old or too much in every workspace, each in transactions of its own. */
  sweep(): Promise<void> {
    this.sweeping ??= this.sweepAll()
      // A sweep that failed has done part of its work; the next one comes in a minute.
      .catch(() => {})
      .finally(() => {
        this.sweeping = null;
      });
    return this.sweeping;
  }

  private async sweepAll(): Promise<void> {
    let after = Buffer.alloc(0);
    while (!this.stopped) {
      const keys = [...this.tables.states.getKeys({ start: after, limit: WORKSPACES_A_TURN })];
      const found = keys.map((key) => Buffer.from(key)).filter((key) => !key.equals(after));
      const last = found.at(-1);
      if (last === undefined) return;
      for (const workspace of found.map(String)) await this.sweepOne(workspace);
      after = last;
      await new Promise(setImmediate);
    }
  }

  private async sweepOne(workspace: string): Promise<void> {
    let removed = MAX_REMOVED;
    while (removed === MAX_REMOVED && !this.stopped && this.hasTooMuch(workspace)) {
      await transact(this.root, () => {
        const before = this.stateOf(workspace);
        const after = this.trim(workspace, before);
        this.tables.states.putSync(Buffer.from(workspace), encodeState(after));
        removed = after.oldest - before.oldest;
      });
      this.onRemoved(removed);
    }
  }

  /** Looked up without a transaction: most workspaces have nothing to remove. */
  private hasTooMuch(workspace: string): boolean {
    const state = this.stateOf(workspace);
    return isOver(state, this.boundsFor(workspace, state));
  }
}
