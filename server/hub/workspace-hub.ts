import { type Cursor, encodeFrame, formatCursor } from '@sluice/protocol';
import {
  type EventLog,
  type Following,
  isSeam,
  type LogEntry,
  type LogExtent,
} from '../log/event-log.js';
import type { Deliveries } from './deliveries.js';
import type { Filter } from './filter.js';
import type { Follower, Gap } from './follower.js';
import { Group, type OnBehind } from './group.js';
import { GroupIndex } from './group-index.js';
import { indexAfter, type Page, pageOf } from './page.js';
import { type Start, startAt, startBehind } from './start.js';
import { Tail } from './tail.js';

/** Of how many seams a hub knows; a cursor from before so many fail-overs is nobody's. */
const MAX_SEAMS = 64;

/** What a workspace's hub leaves to the hub of all. */
export interface WorkspaceHubHost {
  readonly onBehind: OnBehind;
  /** A stream is in no group any more, and must find its way from its cursor. */
  onAstray(follower: Follower, hub: WorkspaceHub): void;
  /** A group has something to write. */
  wake(group: Group): void;
  /** A stream is told of a gap. */
  onGap(gap: Gap): void;
  /** Where it is counted what the streams of the workspace are given. */
  readonly deliveries: Deliveries;
}

/** The newest part of one workspace's log in memory, and the streams that follow it, in groups. */
export class WorkspaceHub {
  /** Streams that read history before they can follow the tail. */
  readonly catchingUp = new Set<Follower>();
  /** Requests that are about to add a stream, and keep the hub open meanwhile. */
  pending = 0;
  /** How often what is in memory was begun anew. */
  generation = 0;

  private readonly groups = new Map<string, Group>();
  private index = new GroupIndex();
  private tail: Tail;
  /** The newest that came while the hub was open: neither the tail nor a group finds out who stands before one. */
  private seams: LogEntry[] = [];
  private currentEpoch: string;
  private following: Following | null = null;
  private asking: Promise<LogExtent> | null = null;
  private ping: { offset: number; frame: Buffer } = { offset: -1, frame: Buffer.alloc(0) };

  private constructor(
    readonly workspace: string,
    extent: LogExtent,
    private readonly log: EventLog,
    private readonly host: WorkspaceHubHost,
  ) {
    this.currentEpoch = extent.epoch;
    this.tail = new Tail(extent.head);
  }

  /** @throws SluiceError UNAVAILABLE when the log cannot be read. */
  static async open(
    workspace: string,
    log: EventLog,
    host: WorkspaceHubHost,
  ): Promise<WorkspaceHub> {
    // What is told before the hub is there waits, so that nothing falls between the two.
    const early: ((hub: WorkspaceHub) => void)[] = [];
    let hub: WorkspaceHub | null = null;
    const tell = (work: (hub: WorkspaceHub) => void) => {
      if (hub === null) early.push(work);
      else work(hub);
    };
    const following = await log.follow(workspace, {
      onEntries: (entries) => tell((opened) => opened.push(entries)),
      onBreak: (extent) => tell((opened) => opened.restart(extent)),
    });
    hub = new WorkspaceHub(workspace, following.extent, log, host);
    hub.following = following;
    for (const work of early) work(hub);
    return hub;
  }

  close(): void {
    this.following?.unfollow();
  }

  get deliveries(): Deliveries {
    return this.host.deliveries;
  }

  /** The epoch of the log as it is now. */
  get epoch(): string {
    return this.currentEpoch;
  }

  /** The newest offset. */
  get head(): number {
    return this.tail.end;
  }

  /** What its newest events take in memory. */
  get tailBytes(): number {
    return this.tail.keptBytes;
  }

  get isUnused(): boolean {
    return this.groups.size === 0 && this.catchingUp.size === 0 && this.pending === 0;
  }

  /** Where a stream starts that was last at `cursor`. @throws SluiceError UNAVAILABLE when the log cannot be read. */
  async startAt(cursor: Cursor | null): Promise<Start> {
    // Without a cursor, or with one in the tail, the log need not be asked.
    const seam = cursor?.epoch === this.epoch ? this.seamAround(cursor.offset) : undefined;
    if (cursor !== null && seam !== undefined) return startBehind(seam, cursor);
    const isInTail = cursor === null || (cursor.epoch === this.epoch && this.covers(cursor.offset));
    if (isInTail) return startAt(cursor, { epoch: this.epoch, head: this.head, oldest: 0 });
    const start = startAt(cursor, await this.extent());
    // An answer that was under way when this was asked may be older than the cursor.
    return start.gap === null ? start : startAt(cursor, await this.extent());
  }

  /** What follows `cursor`, if it is still in memory. */
  pageAfter(cursor: number, filter: Filter): Page | null {
    if (!this.covers(cursor)) return null;
    if (cursor >= this.head) return { frames: Buffer.alloc(0), events: 0, end: cursor, gap: null };
    return pageOf(this.tail.entries, indexAfter(this.tail.entries, cursor), filter);
  }

  /** Makes a stream a member of its group, if it has come far enough. */
  join(follower: Follower): boolean {
    const known = this.groups.get(follower.filter.key);
    const mayJoin = known?.covers(follower.cursor) ?? follower.cursor >= this.head;
    if (!mayJoin) return false;
    const group = known ?? this.addGroup(follower.filter);
    group.add(follower);
    // Equal ones are kept once, however many streams have them.
    follower.filter = group.filter;
    this.catchingUp.delete(follower);
    // Most streams come up to date; a pass for each of them would look at all the others.
    if (!group.isCurrent(follower.cursor)) this.host.wake(group);
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
    this.host.wake(group);
  }

  *followers(): Iterable<Follower> {
    for (const group of this.groups.values()) yield* group.members;
    yield* this.catchingUp;
  }

  /** One question at a time, however many streams come back at once. */
  private extent(): Promise<LogExtent> {
    this.asking ??= this.log.extent(this.workspace).finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  /** The seam that passes over an offset. */
  private seamAround(at: number): LogEntry | undefined {
    return this.seams.find(({ previous, offset }) => previous < at && at < offset);
  }

  private covers(offset: number): boolean {
    return this.tail.covers(offset) && offset <= this.head;
  }

  private addGroup(filter: Filter): Group {
    const group = new Group(filter, this.head, this.host.onBehind, this.deliveries);
    this.groups.set(filter.key, group);
    this.index.add(group);
    return group;
  }

  private push(entries: readonly LogEntry[]): void {
    const now = performance.now();
    for (const entry of entries) {
      if (entry.offset <= this.head) continue;
      this.tail.push(entry);
      if (isSeam(entry)) {
        this.seams = [...this.seams.slice(1 - MAX_SEAMS), entry];
        continue;
      }
      for (const group of this.index.find(entry)) {
        group.push(entry, now);
        this.host.wake(group);
      }
    }
  }

  /** What is in memory does not go on: every stream looks for its place in the log as it is now, as if it came back. */
  private restart(extent: LogExtent): void {
    const { epoch } = this;
    this.generation++;
    const followers = [...this.followers()];
    this.currentEpoch = extent.epoch;
    this.tail = new Tail(extent.head);
    this.seams = [];
    for (const group of this.groups.values()) group.dissolve();
    this.groups.clear();
    this.index = new GroupIndex();
    for (const follower of followers) {
      follower.position = -1;
      follower.mark = Number.POSITIVE_INFINITY;
      const { offset, gap } = startAt({ epoch, offset: follower.cursor }, extent);
      follower.cursor = offset;
      if (gap !== null) {
        this.host.onGap(gap);
        follower.tellGap(gap);
      }
      this.host.onAstray(follower, this);
    }
  }
}
