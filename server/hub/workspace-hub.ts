import { type Cursor, encodeFrame, formatCursor } from '@sluice/protocol';
import type { EventLog, LogEntry, LogExtent, Unfollow } from '../log/event-log.js';
import type { Filter } from './filter.js';
import type { Follower } from './follower.js';
import { Group, type OnBehind } from './group.js';
import { GroupIndex } from './group-index.js';
import { indexAfter, type Page, pageOf } from './page.js';
import { type Start, startAt } from './start.js';
import { Tail } from './tail.js';

/** The newest part of one workspace's log in memory, and the streams that follow it, in groups. */
export class WorkspaceHub {
  /** Streams that read history before they can follow the tail. */
  readonly catchingUp = new Set<Follower>();
  /** Requests that are about to add a stream, and keep the hub open meanwhile. */
  pending = 0;

  private readonly groups = new Map<string, Group>();
  private readonly index = new GroupIndex();
  private readonly tail: Tail;
  readonly epoch: string;
  private ping: { offset: number; frame: Buffer } = { offset: -1, frame: Buffer.alloc(0) };

  private constructor(
    readonly workspace: string,
    extent: LogExtent,
    private readonly log: EventLog,
    private readonly onBehind: OnBehind,
    private readonly wake: (group: Group) => void,
  ) {
    this.epoch = extent.epoch;
    this.tail = new Tail(extent.head);
  }

  /** @throws SluiceError UNAVAILABLE when the log cannot be read. */
  static async open(
    workspace: string,
    log: EventLog,
    onBehind: OnBehind,
    wake: (group: Group) => void,
  ): Promise<WorkspaceHub> {
    // What is told before the extent is known waits, so that nothing falls between the two.
    const early: LogEntry[] = [];
    let hub: WorkspaceHub | null = null;
    const unfollow = await log.follow(workspace, (entries) => {
      if (hub !== null) hub.push(entries);
      else for (const entry of entries) early.push(entry);
    });
    try {
      const opened = new WorkspaceHub(workspace, await log.extent(workspace), log, onBehind, wake);
      opened.unfollow = unfollow;
      opened.push(early);
      hub = opened;
      return opened;
    } catch (error) {
      unfollow();
      throw error;
    }
  }

  private unfollow: Unfollow = () => {};

  close(): void {
    this.unfollow();
  }

  /** The newest offset. */
  get head(): number {
    return this.tail.end;
  }

  get isUnused(): boolean {
    return this.groups.size === 0 && this.catchingUp.size === 0 && this.pending === 0;
  }

  /** Where a stream starts that was last at `cursor`. @throws SluiceError UNAVAILABLE when the log cannot be read. */
  async startAt(cursor: Cursor | null): Promise<Start> {
    // Without a cursor, or with one in the tail, the log need not be asked.
    const isInTail = cursor === null || (cursor.epoch === this.epoch && this.covers(cursor.offset));
    if (isInTail) return startAt(cursor, { epoch: this.epoch, head: this.head, oldest: 0 });
    return startAt(cursor, await this.log.extent(this.workspace));
  }

  /** What follows `cursor`, if it is still in memory. */
  pageAfter(cursor: number, filter: Filter): Page | null {
    if (!this.covers(cursor)) return null;
    if (cursor >= this.head) return { frames: Buffer.alloc(0), end: cursor, gap: null };
    return pageOf(this.tail.entries, indexAfter(this.tail.entries, cursor), filter);
  }

  /** Makes a stream a member of its group, if it has come far enough. */
  join(follower: Follower): boolean {
    const group = this.groups.get(follower.filter.key);
    if (group === undefined) {
      if (follower.cursor < this.head) return false;
      this.addGroup(follower.filter).add(follower);
      return true;
    }
    if (!group.covers(follower.cursor)) return false;
    group.add(follower);
    // Most streams come up to date; a pass for each of them would look at all the others.
    if (!group.isCurrent(follower.cursor)) this.wake(group);
    return true;
  }

  /** The group that counts a stream's bytes; `undefined` until it has joined one. */
  groupOf(follower: Follower): Group | undefined {
    return follower.mark === Number.POSITIVE_INFINITY
      ? undefined
      : this.groups.get(follower.filter.key);
  }

  leave(follower: Follower): void {
    this.catchingUp.delete(follower);
    const group = this.groupOf(follower);
    if (group === undefined) return;
    group.remove(follower);
    if (group.size > 0) {
      // It may have been the last one that lacked something; and the one that took its place among the members may
      // have left the part of a pass that was still to come.
      this.wakeUp(group);
      return;
    }
    this.groups.delete(group.filter.key);
    this.index.remove(group);
  }

  /** The heartbeat that moves a stream's cursor to the head. */
  pingAtHead(): Buffer {
    if (this.ping.offset !== this.head) {
      const id = formatCursor(this.epoch, this.head);
      this.ping = { offset: this.head, frame: Buffer.from(encodeFrame({ comment: 'ping', id })) };
    }
    return this.ping.frame;
  }

  /** Has a group looked through again, if one of its members may lack something. */
  wakeUp(group: Group): void {
    if (group.holdsNothing) return;
    group.revisit();
    this.wake(group);
  }

  *followers(): Iterable<Follower> {
    for (const group of this.groups.values()) yield* group.members;
    yield* this.catchingUp;
  }

  private covers(offset: number): boolean {
    return this.tail.covers(offset) && offset <= this.head;
  }

  private addGroup(filter: Filter): Group {
    const group = new Group(filter, this.head, this.onBehind);
    this.groups.set(filter.key, group);
    this.index.add(group);
    return group;
  }

  private push(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.offset <= this.head) continue;
      this.tail.push(entry);
      for (const group of this.index.find(entry)) {
        group.push(entry);
        this.wake(group);
      }
    }
  }
}
