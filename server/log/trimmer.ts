import type { RootDatabase } from 'lmdb';
import type { RetentionRules } from '../config.js';
import {
  decodeEntry,
  decodeState,
  encodeState,
  entryKey,
  idempotencyKey,
  offsetOfKey,
  type WorkspaceState,
} from './entry-codec.js';
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
   * Removes what is too much or too old from the front of a workspace, and says how many entries. Runs within a
   * transaction.
   * @param appended entries that this transaction has added: twice as many may go, so that the bounds hold in the end.
   */
  trim(workspace: string, appended = 0): number {
    const state = this.stateOf(workspace);
    const bounds = this.boundsFor(workspace, state);
    let { oldest, bytes } = state;
    if (oldest === state.head) return 0;
    const range = this.tables.entries.getRange({
      start: entryKey(workspace, oldest + 1),
      end: entryKey(workspace, state.head + 1),
      limit: Math.max(MAX_REMOVED, 2 * appended),
    });
    const gone: { key: Uint8Array; idempotencyHash: Buffer | null }[] = [];
    for (const { key, value } of range) {
      const offset = offsetOfKey(key);
      const { appendedAt, idempotencyHash } = decodeEntry(offset, value);
      const isKept =
        state.head - oldest <= bounds.events &&
        bytes <= bounds.bytes &&
        appendedAt >= bounds.appendedSince;
      if (isKept) break;
      gone.push({ key: Buffer.from(key), idempotencyHash });
      bytes -= value.length;
      oldest = offset;
    }
    if (gone.length === 0) return 0;
    for (const { key, idempotencyHash } of gone) {
      this.tables.entries.removeSync(key);
      if (idempotencyHash !== null) {
        this.tables.idempotency.removeSync(idempotencyKey(workspace, idempotencyHash));
      }
    }
    const next = encodeState({ head: state.head, oldest, bytes });
    this.tables.states.putSync(Buffer.from(workspace), next);
    return gone.length;
  }

  private stateOf(workspace: string): WorkspaceState {
    return decodeState(this.tables.states.get(Buffer.from(workspace)));
  }

  /** A workspace that is over a bound is cut a sixteenth below it, so that trimming comes in runs and not each time. */
  private boundsFor(workspace: string, state: WorkspaceState) {
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
    let removed = this.isOver(workspace) ? MAX_REMOVED : 0;
    while (removed === MAX_REMOVED && !this.stopped) {
      await transact(this.root, () => {
        removed = this.trim(workspace);
      });
    }
  }

  /** Looked up without a transaction: most workspaces have nothing to remove. */
  private isOver(workspace: string): boolean {
    const { head, oldest, bytes } = this.stateOf(workspace);
    const value = this.tables.entries.get(entryKey(workspace, oldest + 1));
    if (value === undefined) return false;
    const bounds = this.boundsFor(workspace, { head, oldest, bytes });
    const { appendedAt } = decodeEntry(oldest + 1, value);
    return (
      head - oldest > bounds.events || bytes > bounds.bytes || appendedAt < bounds.appendedSince
    );
  }
}
