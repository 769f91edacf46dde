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
import {
  decodeEntry,
  decodeIdempotency,
  decodeState,
  encodeEntry,
  encodeIdempotency,
  encodeState,
  entryKey,
  frameOf,
  idempotencyKey,
  offsetOfKey,
  type WorkspaceState,
} from './entry-codec.js';
import { epochOf } from './epoch.js';
import type {
  Appended,
  EventLog,
  Following,
  Idempotency,
  LogEntry,
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
import { openTables, statsOf, type Tables } from './tables.js';
import { transact } from './transact.js';
import { Trimmer } from './trimmer.js';

interface PendingAppend {
  readonly workspace: string;
  readonly events: readonly NewEntry[];
  readonly idempotency: Idempotency | undefined;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** Events after which a group is full: one transaction shall not hold the event loop for long. */
const MAX_GROUP_EVENTS = 2_000;
const LAST_OFFSET = 2 ** 48 - 1;

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
    (group) => this.commit(group),
    MAX_GROUP_EVENTS,
    ({ events }) => events.length,
  );
  private readonly budget = new AppendBudget();
  private readonly epochs = new LRUCache<string, string>({ max: 10_000 });
  private readonly trimmer: Trimmer;
  private closed = false;

  constructor(
    private readonly root: RootDatabase<Buffer, Uint8Array>,
    private readonly logId: Buffer,
    retention: RetentionRules,
    private readonly release: Release,
  ) {
    this.tables = openTables(root);
    this.trimmer = new Trimmer(root, this.tables, retention);
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

  async read(workspace: string, after: Cursor, limit: ReadLimit): Promise<readonly LogEntry[]> {
    if (this.closed || after.epoch !== this.epochOf(workspace)) throw logUnavailable();
    const entries: LogEntry[] = [];
    let bytes = 0;
    try {
      for (const entry of this.entriesAfter(workspace, after.offset, limit.maxEntries)) {
        entries.push(entry);
        bytes += entry.frame.length;
        if (bytes >= limit.maxBytes) break;
      }
    } catch (cause) {
      throw logUnavailable(cause);
    }
    return entries;
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
    return statsOf(this.tables);
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
  private async commit(group: readonly PendingAppend[]): Promise<void> {
    const written = new Map<string, LogEntry[]>();
    const outcomes: (() => void)[] = [];
    try {
      await transact(this.root, () => {
        for (const pending of group) outcomes.push(this.write(pending, written));
        for (const [workspace, entries] of written) this.trimmer.trim(workspace, entries.length);
      });
    } catch (cause) {
      // The transaction left nothing behind, neither on disk nor in memory: offsets are read from the store.
      for (const pending of group) pending.reject(logUnavailable(cause));
      return;
    }
    for (const settle of outcomes) settle();
    for (const [workspace, entries] of written) this.followers.tell(workspace, entries);
  }

  private write(pending: PendingAppend, written: Map<string, LogEntry[]>): () => void {
    const { workspace, events, idempotency } = pending;
    const epoch = this.epochOf(workspace);
    const state = this.stateOf(workspace);
    const first = state.head + 1;
    const count = events.length;
    const hash = idempotency === undefined ? null : sha256(idempotency.key);

    if (idempotency !== undefined && hash !== null) {
      const known = this.tables.idempotency.get(idempotencyKey(workspace, hash));
      if (known !== undefined) return this.repeat(pending, epoch, known, idempotency);
      const record = encodeIdempotency({ first, count, fingerprint: idempotency.fingerprint });
      this.tables.idempotency.putSync(idempotencyKey(workspace, hash), record);
    }
    const entries = events.map((event, index) => ({
      offset: first + index,
      previous: first + index - 1,
      topic: event.topic,
      type: event.type,
      frame: frameOf(epoch, first + index, event),
    }));
    this.store(workspace, state, entries, hash);
    const earlier = written.get(workspace);
    if (earlier === undefined) written.set(workspace, entries);
    else for (const entry of entries) earlier.push(entry);
    return () => pending.resolve({ epoch, first, count, repeated: null });
  }

  /** Answers for an earlier append, with its entries as they stand now: after this transaction they may be trimmed. */
  private repeat(
    { workspace, resolve, reject }: PendingAppend,
    epoch: string,
    known: Buffer,
    { fingerprint }: Idempotency,
  ): () => void {
    const { first, count, ...record } = decodeIdempotency(known);
    if (!record.fingerprint.equals(fingerprint)) {
      const detail = 'This Idempotency-Key was used before, for another body.';
      return () => reject(new SluiceError('INVALID_REQUEST', detail));
    }
    const entries = [...this.entriesAfter(workspace, first - 1, count)];
    return () => resolve({ epoch, first, count, repeated: entries });
  }

  private *entriesAfter(workspace: string, after: number, limit: number): Iterable<LogEntry> {
    const range = this.tables.entries.getRange({
      start: entryKey(workspace, after + 1),
      end: entryKey(workspace, LAST_OFFSET),
      limit,
    });
    for (const { key, value } of range) yield decodeEntry(offsetOfKey(key), value).entry;
  }

  private store(
    workspace: string,
    state: WorkspaceState,
    entries: readonly LogEntry[],
    hash: Buffer | null,
  ): void {
    const appendedAt = Date.now();
    let bytes = state.bytes;
    for (const [index, entry] of entries.entries()) {
      const value = encodeEntry({ entry, appendedAt, idempotencyHash: index === 0 ? hash : null });
      this.tables.entries.putSync(entryKey(workspace, entry.offset), value);
      bytes += value.length;
    }
    const head = state.head + entries.length;
    const next = encodeState({ head, oldest: state.oldest, bytes });
    this.tables.states.putSync(Buffer.from(workspace), next);
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
