import { followsOn, type LogEntry, type LogExtent, type LogFollower } from '../event-log.js';
import { decodeNotification } from './entry-text.js';

/** What is behind an offset, and how far the log reaches. */
export interface Stretch {
  readonly extent: LogExtent;
  readonly entries: readonly LogEntry[];
}

export interface ReaderSource {
  /** How far the log reaches; a seam that is due is made by it. */
  extent(): Promise<LogExtent>;
  /** Entries only where the epoch is still that of the log. */
  read(epoch: string, after: number): Promise<Stretch>;
}

/** What may wait while the stream is read; where more comes the stream is read once more. */
const MAX_WAITING_BYTES = 1_048_576;

/** The one who reads a workspace's log on this node, for all who follow it: by messages, and by the stream where one was missed. */
export class WorkspaceReader {
  private readonly followers = new Set<LogFollower>();
  private catchingUp: Promise<void> = Promise.resolve();
  private isCatchingUp = false;
  /** Messages that came while the stream is being read. */
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  /** Whether there may be more than what is being read and what waits. */
  private mayLack = false;
  /** The head at the last look, where it was further than what was told of; otherwise 0. */
  private untold = 0;

  private constructor(
    private readonly source: ReaderSource,
    private reached: LogExtent,
  ) {}

  /** To be called when messages arrive already, so that nothing falls between them and the extent. */
  static async open(source: ReaderSource): Promise<WorkspaceReader> {
    return new WorkspaceReader(source, await source.extent());
  }

  get extent(): LogExtent {
    return this.reached;
  }

  get isUnused(): boolean {
    return this.followers.size === 0;
  }

  add(follower: LogFollower): () => void {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  }

  onMessage(message: Buffer): void {
    if (this.isCatchingUp) this.putAside(message);
    else if (!this.take(message)) this.startCatchUp();
  }

  /** The newest place of the log, as somebody has just seen it. */
  onHead(epoch: string, head: number): void {
    if (epoch !== this.reached.epoch || head !== this.reached.head) this.startCatchUp();
  }

  /** Whether somebody should have told by now of what is behind `told`: it was there at the last look already. */
  isLeftOver(told: number, head: number): boolean {
    const isLeftOver = told < this.untold;
    this.untold = told < head ? head : 0;
    return isLeftOver;
  }

  /** Resolves when nothing is missing that was there at the time of the call. @throws SluiceError UNAVAILABLE */
  catchUp(): Promise<void> {
    if (this.isCatchingUp) this.mayLack = true;
    else this.catchingUp = this.readOn();
    return this.catchingUp;
  }

  private startCatchUp(): void {
    // What cannot be read now is read when Redis is back, or by the next look at the head.
    this.catchUp().catch(() => {});
  }

  private async readOn(): Promise<void> {
    this.isCatchingUp = true;
    try {
      do {
        this.mayLack = false;
        await this.readToHead();
      } while (!this.takeWaiting() || this.mayLack);
    } finally {
      this.isCatchingUp = false;
      // Where reading has failed, what waits may go on all the same.
      if (!this.takeWaiting()) this.startCatchUp();
    }
  }

  private async readToHead(): Promise<void> {
    let target = await this.source.extent();
    while (!this.isAt(target)) {
      const { extent, entries } = await this.source.read(this.reached.epoch, this.reached.head);
      const [first] = entries;
      if (first !== undefined && followsOn(first, this.reached.head)) {
        this.deliver(entries);
        target = extent;
      } else {
        // It may be gone altogether by now, and only an extent makes it anew.
        target = await this.source.extent();
        if (!this.isAt(target)) this.break(target);
      }
    }
  }

  private isAt({ epoch, head }: LogExtent): boolean {
    return epoch === this.reached.epoch && head === this.reached.head;
  }

  private putAside(message: Buffer): void {
    this.waitingBytes += message.length;
    if (this.waitingBytes <= MAX_WAITING_BYTES) {
      this.waiting.push(message);
      return;
    }
    this.waiting = [];
    this.waitingBytes = 0;
    this.mayLack = true;
  }

  /** Whether what waited goes on from where the reading has come to. */
  private takeWaiting(): boolean {
    const messages = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    return messages.every((message) => this.take(message));
  }

  /** Delivers what is new of a message. `false` where something before it is missing. */
  private take(message: Buffer): boolean {
    const { epoch, previous, last, entries } = decodeNotification(message);
    const { epoch: own, head } = this.reached;
    if (epoch === own && last <= head) return true;
    if (epoch !== own || previous > head) return false;
    const [first, ...others] = entries.filter(({ offset }) => offset > head);
    if (first === undefined) return true;
    if (!followsOn(first, head)) return false;
    this.deliver([first, ...others]);
    return true;
  }

  private deliver(entries: readonly LogEntry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.reached = { ...this.reached, head: last.offset };
    for (const follower of this.followers) follower.onEntries(entries);
  }

  private break(extent: LogExtent): void {
    this.reached = extent;
    for (const follower of this.followers) follower.onBreak(extent);
  }
}
