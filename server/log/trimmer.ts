import type { RootDatabase } from 'lmdb';
import type { Retention } from '../config.js';
import {
  decodeEntry,
  decodeState,
  encodeState,
  entryKey,
  idempotencyKey,
  offsetOfKey,
  type WorkspaceState,
} from './entry-codec.js';
import type { Tables } from './tables.js';
import { transact } from './transact.js';

const SWEEP_INTERVAL_MS = 60_000;
/** Entries one transaction may remove, so that no append waits long behind a trim. */
const MAX_REMOVED = 4_096;
const WORKSPACES_A_TURN = 500;

/** Keeps each workspace's history within its bounds: by count and bytes with each append, by age once a minute. */
export class Trimmer {
  private readonly timer: NodeJS.Timeout;
  private stopped = false;

  constructor(
    private readonly root: RootDatabase<Buffer, Uint8Array>,
    private readonly tables: Tables,
    private readonly retention: Retention,
  ) {
    this.timer = setInterval(() => void this.sweep(), SWEEP_INTERVAL_MS).unref();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
  }

  /** Removes what is too much or too old from the front of a workspace. Runs within a transaction. */
  trim(workspace: string): void {
    const state = decodeState(this.tables.states.get(Buffer.from(workspace)));
    const bounds = this.boundsFor(state);
    let { oldest, bytes } = state;
    if (oldest === state.head) return;
    const range = this.tables.entries.getRange({
      start: entryKey(workspace, oldest + 1),
      end: entryKey(workspace, state.head + 1),
      limit: MAX_REMOVED,
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
    if (gone.length === 0) return;
    for (const { key, idempotencyHash } of gone) {
      this.tables.entries.removeSync(key);
      if (idempotencyHash !== null) {
        this.tables.idempotency.removeSync(idempotencyKey(workspace, idempotencyHash));
      }
    }
    const next = encodeState({ head: state.head, oldest, bytes });
    this.tables.states.putSync(Buffer.from(workspace), next);
  }

  /** A workspace that is over a bound is cut a sixteenth below it, so that trimming comes in runs and not each time. */
  private boundsFor(state: WorkspaceState) {
    const { maxEvents, maxBytes, maxAgeSeconds } = this.retention;
    const isOver = state.head - state.oldest > maxEvents || state.bytes > maxBytes;
    const share = isOver ? 15 / 16 : 1;
    return {
      events: Math.ceil(maxEvents * share),
      bytes: maxBytes * share,
      appendedSince: Date.now() - maxAgeSeconds * 1_000,
    };
  }

  private async sweep(): Promise<void> {
    let after = Buffer.alloc(0);
    while (!this.stopped) {
      const keys = [...this.tables.states.getKeys({ start: after, limit: WORKSPACES_A_TURN })];
      const workspaces = keys.map((key) => Buffer.from(key)).filter((key) => !key.equals(after));
      const last = workspaces.at(-1);
      if (last === undefined) return;
      await transact(this.root, () => {
        for (const workspace of workspaces) this.trim(workspace.toString());
      })
        // A sweep that failed has changed nothing; the next one comes in a minute.
        .catch(() => {});
      after = last;
    }
  }
}
