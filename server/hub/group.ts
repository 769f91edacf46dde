import type { LogEntry } from '../log/event-log.js';
import type { Deliveries } from './deliveries.js';
import type { Filter } from './filter.js';
import type { Follower } from './follower.js';
import { indexAfter, type Page, pageOf } from './page.js';
import { Tail } from './tail.js';

/** Pages remembered at a time: one for each cursor at which members of the group stand. */
const MAX_PAGES = 64;
/** All entries of a group concern it. */
const EVERYTHING: Filter = { key: '', topics: null, types: null, permitted: null };

/** Told of a member that lacks entries which its group does not hold any more. */
export type OnBehind = (member: Follower, group: Group) => void;

/**
 * The streams of a workspace that get the same events, and the entries that one of them may still lack.
 * A group that no event concerns is up to date without being touched.
 */
export class Group {
  /** The streams that get their entries from here. */
  readonly members: Follower[] = [];
  /** How many streams there are in all: the members, and those that fell behind and read the log until they return. */
  size = 0;
  /** Whether the pump has it in its queue. */
  isQueued = false;

  private readonly tail: Tail;
  private readonly pages = new Map<number, Page>();
  /** The member at which the pass under way goes on. */
  private next = 0;
  private needsAnotherPass = false;
  /** When the first came of what the next pass, the one under way, and the one that has ended bring; 0: they bring nothing new. */
  private arrivedAt = 0;
  private passBringsOf = 0;
  private broughtOf = 0;

  /** @param start offset up to which nothing concerns the group any more. */
  constructor(
    readonly filter: Filter,
    start: number,
    private readonly onBehind: OnBehind,
    private readonly deliveries: Deliveries,
  ) {
    this.tail = new Tail(start);
  }

  /** Bytes of all frames that ever concerned the group. */
  get bytes(): number {
    return this.tail.bytes;
  }

  /** Whether a stream at `cursor` can be a member: the group has all that it lacks. */
  covers(cursor: number): boolean {
    return this.tail.covers(cursor);
  }

  /** Whether a member at `cursor` lacks nothing. */
  isCurrent(cursor: number): boolean {
    return cursor >= this.tail.end;
  }

  /** Whether everybody has everything. */
  get holdsNothing(): boolean {
    return this.tail.entries.length === 0;
  }

  /** Takes in a stream that is covered: a new one, or one that fell behind and returns. */
  add(member: Follower): void {
    if (member.mark === Number.POSITIVE_INFINITY) this.size++;
    member.position = this.members.push(member) - 1;
    member.mark = this.tail.markAt(member.cursor);
  }

  /** Lets go of a stream that was a member once. */
  remove(member: Follower): void {
    this.size--;
    if (member.position >= 0) this.detach(member);
  }

  /** Takes a stream from among the members; it still counts, and is expected back. */
  detach(member: Follower): void {
    const last = this.members.pop() as Follower;
    if (last !== member) {
      this.members[member.position] = last;
      last.position = member.position;
    }
    member.position = -1;
  }

  /** Lets go of everybody and everything, for good; it may still wait in the queue of the pump. */
  dissolve(): void {
    this.members.length = 0;
    this.size = 0;
    this.next = 0;
    this.needsAnotherPass = false;
    this.arrivedAt = 0;
    this.passBringsOf = 0;
    this.tail.clear();
    this.pages.clear();
  }

  /** @param now of `performance.now()` */
  push(entry: LogEntry, now: number): void {
    if (this.arrivedAt === 0) this.arrivedAt = now;
    this.tail.push(entry);
    this.pages.clear();
    this.needsAnotherPass = true;
  }

  /** Asks for another pass: a member can be written to again, or has left. */
  revisit(): void {
    this.needsAnotherPass = true;
  }

  /** Moves up to `budget` members forward and says how many; where that ends the pass, see `isDone`. */
  advance(budget: number): number {
    if (this.next === 0) this.beginPass();
    const from = this.next;
    while (this.next < this.members.length && this.next - from < budget) {
      const member = this.members[this.next] as Follower;
      this.move(member);
      // A member that left while it was moved has given its place to another one.
      if (member.position === this.next) this.next++;
      else budget--;
    }
    const moved = this.next - from;
    if (this.next >= this.members.length) this.finishPass();
    return moved;
  }

  /** Whether everybody has been moved, and nothing has come since. */
  get isDone(): boolean {
    return this.next === 0 && !this.needsAnotherPass;
  }

  /** When the first came of what a pass has brought to everybody since this was asked; 0 where none has. */
  takeBrought(): number {
    const { broughtOf } = this;
    this.broughtOf = 0;
    return broughtOf;
  }

  private beginPass(): void {
    this.needsAnotherPass = false;
    // Where those that were moved have all left, the pass under way begins once more.
    if (this.passBringsOf === 0) this.passBringsOf = this.arrivedAt;
    this.arrivedAt = 0;
  }

  /** Writes to one member all that it lacks, as far as its socket takes it. */
  private move(member: Follower): void {
    while (member.blockedSince === 0 && !member.isClosed && member.cursor < this.tail.end) {
      if (!this.tail.covers(member.cursor)) {
        this.onBehind(member, this);
        return;
      }
      const page = this.pageAfter(member.cursor);
      member.cursor = page.end;
      member.mark += page.frames.length;
      this.deliveries.events += page.events;
      this.deliveries.bytes += page.frames.length;
      member.write(page.frames, page.events);
    }
  }

  private finishPass(): void {
    this.next = 0;
    this.broughtOf = this.passBringsOf;
    this.passBringsOf = 0;
    if (this.needsAnotherPass || this.holdsNothing) return;
    if (this.members.every((member) => this.isCurrent(member.cursor))) {
      this.tail.clear();
      this.pages.clear();
    }
  }

  private pageAfter(cursor: number): Page {
    let page = this.pages.get(cursor);
    if (page === undefined) {
      page = pageOf(this.tail.entries, indexAfter(this.tail.entries, cursor), EVERYTHING);
      if (this.pages.size >= MAX_PAGES) this.pages.clear();
      this.pages.set(cursor, page);
    }
    return page;
  }
}
