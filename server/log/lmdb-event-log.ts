import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Cursor } from '@sluice/protocol';
import type { RootDatabase } from 'lmdb';
import { open } from 'lmdb';
import { LRUCache } from 'lru-cache';
import type { RetentionRules } from '../config.js';
import { SluiceError } from '../errors.js';
import { AppendBudget } from './append-budget.js';
import { readExcerpt } from './chunk-reader.js';
import {
  decodeIdempotency,
  decodeState,
  encodeIdempotency,
  encodeState,
  idempotencyKey,
  type WorkspaceState,
} from './entry-codec.js';
import { epochOf } from './epoch.js';
import type {
  Appended,
  EventLog,
  Excerpt,
  Following,
  Idempotency,
  LogExtent,
  LogFollower,
  LogStats,
  NewEntry,
  ReadLimit,
} from './event-log.js';
import { ownFolder, type Release } from './folder-owner.js';
import { Followers } from './followers.js';
import { GroupCommit } from './group-commit.js';
import { logUnavailable } from './log-unavailable.js';
import { checkStore } from './store-check.js';
import { logIdOf, openMeta, ownerRegister } from './store-meta.js';
import { countEvents, openTables, statsOf, type Tables } from './tables.js';
import { transact } from './transact.js';
import { Trimmer } from './trimmer.js';
import { WorkspaceWrite } from './workspace-write.js';

interface PendingAppend {
  readonly workspace: string;
  readonly events: readonly NewEntry[];
  readonly idempotency: Idempotency | undefined;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** Events after which a group is full: one transaction shall not hold the event loop for long. */
const MAX_GROUP_EVENTS = 2_000;

/**
 * The embedded log: one LMDB store in `folder`, written by this process alone.
 * @throws Error if another process owns the folder, or the store cannot be opened.
 */
export async function openLmdbEventLog(
  folder: string,
  retention: RetentionRules,
): Promise<EventLog> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  checkStore(join(folder, 'data.mdb'));
  // LMDB's plain commit: the promise of a transaction resolves when the disk has it.
  const root = open<Buffer, Uint8Array>({
    path: folder,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    // Groups are made in group-commit.ts; batches of the library would reject promises that nobody hears.
    eventTurnBatching: false,
    maxDbs: 8,
  });
  try {
    const meta = openMeta(root);
    const release = await ownFolder(folder, ownerRegister(meta));
    return new LmdbEventLog(root, logIdOf(meta), retention, release);
  } catch (error) {
    await root.close();
    throw error;
  }
}

class LmdbEventLog implements EventLog {
  readonly isAvailable = true;
  private readonly tables: Tables;
  private readonly followers = new Followers();
  private readonly commits = new GroupCommit<PendingAppend>(
    (takeGroup) => this.commit(takeGroup),
    MAX_GROUP_EVENTS,
    ({ events }) => events.length,
  );
  private readonly budget = new AppendBudget();
  private readonly epochs = new LRUCache<string, string>({ max: 10_000 });
  private readonly trimmer: Trimmer;
  /** Kept in all workspaces. */
  private events: number;
  private closed = false;

  constructor(
    private readonly root: RootDatabase<Buffer, Uint8Array>,
    private readonly logId: Buffer,
    retention: RetentionRules,
    private readonly release: Release,
  ) {
    this.tables = openTables(root);
    this.events = countEvents(this.tables);
    this.trimmer = new Trimmer(root, this.tables, retention, (removed) => {
      this.events -= removed;
    });
  }

  append(
    workspace: string,
    events: readonly NewEntry[],
    idempotency?: Idempotency,
  ): Promise<Appended> {
    if (this.closed) return Promise.reject(logUnavailable());
    return this.budget.spend(
      events,
      () =>
        new Promise((resolve, reject) =>
          this.commits.add({ workspace, events, idempotency, resolve, reject }),
        ),
    );
  }

  async read(workspace: string, after: Cursor, limit: ReadLimit): Promise<Excerpt> {
    if (this.closed || after.epoch !== this.epochOf(workspace)) throw logUnavailable();
    try {
      // The chunk that the cursor lies in may begin with entries that are trimmed.
      const from = Math.max(after.offset, this.stateOf(workspace).oldest);
      return readExcerpt(this.tables.entries, workspace, from, limit);
    } catch (cause) {
      throw logUnavailable(cause);
    }
  }

  async extent(workspace: string): Promise<LogExtent> {
    if (this.closed) throw logUnavailable();
    const { head, oldest } = this.stateOf(workspace);
    return { epoch: this.epochOf(workspace), head, oldest };
  }

  async follow(workspace: string, follower: LogFollower): Promise<Following> {
    if (this.closed) throw logUnavailable();
    const unfollow = this.followers.add(workspace, follower);
    return { extent: await this.extent(workspace), unfollow };
  }

  async stats(): Promise<LogStats> {
    if (this.closed) throw logUnavailable();
    return statsOf(this.tables, this.events);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.trimmer.stop();
    await this.commits.idle();
    await this.release();
    await this.root.close();
  }

  /** Writes all that waits in one transaction, tells the publishers, then the followers. */
  private async commit(takeGroup: () => readonly PendingAppend[]): Promise<void> {
    const writes = new Map<string, WorkspaceWrite>();
    const outcomes: (() => void)[] = [];
    let growth = 0;
    try {
      await transact(this.root, () => {
        for (const pending of takeGroup()) outcomes.push(this.write(pending, writes));
        for (const [workspace, write] of writes) growth += this.finish(workspace, write);
      });
    } catch (cause) {
      // The transaction left nothing behind, neither on disk nor in memory: offsets are read from the store.
      for (const pending of takeGroup()) pending.reject(logUnavailable(cause));
      return;
    }
    this.events += growth;
    for (const settle of outcomes) settle();
    for (const [workspace, write] of writes) {
      if (this.followers.has(workspace)) this.followers.tell(workspace, write.entries());
    }
  }

  private write(pending: PendingAppend, writes: Map<string, WorkspaceWrite>): () => void {
    const { workspace, events, idempotency } = pending;
    const hash = idempotency === undefined ? null : sha256(idempotency.key);
    if (idempotency !== undefined && hash !== null) {
      const known = this.tables.idempotency.get(idempotencyKey(workspace, hash));
      if (known !== undefined) return this.repeat(pending, writes, known, idempotency);
    }
    const epoch = this.epochOf(workspace);
    const write = writes.get(workspace) ?? this.beginWrite(workspace, epoch);
    writes.set(workspace, write);
    const [first, count] = [write.head + 1, events.length];
    if (idempotency !== undefined && hash !== null) {
      const record = encodeIdempotency({ first, count, fingerprint: idempotency.fingerprint });
      this.tables.idempotency.putSync(idempotencyKey(workspace, hash), record);
    }
    write.add(events, hash);
    return () => pending.resolve({ epoch, first, count, repeated: null });
  }

  private beginWrite(workspace: string, epoch: string): WorkspaceWrite {
    return new WorkspaceWrite(workspace, epoch, this.stateOf(workspace), Date.now());
  }

  /** Says how many events there are more, or fewer, in the workspace than before. */
  private finish(workspace: string, write: WorkspaceWrite): number {
    write.store(this.tables.entries);
    const state = this.trimmer.trim(workspace, write.state, write.length);
    this.tables.states.putSync(Buffer.from(workspace), encodeState(state));
    return write.length - (state.oldest - write.state.oldest);
  }

  /** Answers for an earlier append, with its entries as they stand now: after this transaction they may be trimmed. */
  private repeat(
    { workspace, resolve, reject }: PendingAppend,
    writes: Map<string, WorkspaceWrite>,
    known: Buffer,
    { fingerprint }: Idempotency,
  ): () => void {
    const { first, count, ...record } = decodeIdempotency(known);
    if (!record.fingerprint.equals(fingerprint)) {
      const detail = 'This Idempotency-Key was used before, for another body.';
      return () => reject(new SluiceError('INVALID_REQUEST', detail));
    }
    // It may be of this very transaction, and is read from the store.
    writes.get(workspace)?.store(this.tables.entries);
    const limit = { maxEntries: count, maxBytes: Number.POSITIVE_INFINITY };
    const { entries } = readExcerpt(this.tables.entries, workspace, first - 1, limit);
    const epoch = this.epochOf(workspace);
    return () => resolve({ epoch, first, count, repeated: entries });
  }

  private stateOf(workspace: string): WorkspaceState {
    return decodeState(this.tables.states.get(Buffer.from(workspace)));
  }

  private epochOf(workspace: string): string {
    let epoch = this.epochs.get(workspace);
    if (epoch === undefined) {
      epoch = epochOf(this.logId, workspace);
      this.epochs.set(workspace, epoch);
    }
    return epoch;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
