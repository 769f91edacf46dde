import { Histogram } from '../histogram.js';
import { isWorthAnotherTry, redisUnavailable } from './failures.js';

/** How many commands may be under way at once; more are refused, so that a stuck Redis does not fill the memory. */
const MAX_UNDER_WAY = 20_000;
const TRY_AGAIN_MS = 50;

/** One command, with its tries. */
export interface Task {
  /** Nobody waits for it any more: it must not be sent. */
  readonly isOver: boolean;
}

interface OpenTask extends Task {
  isOver: boolean;
  readonly endsAt: number;
  lastError: unknown;
  readonly reject: (error: unknown) => void;
}

/** Gives each command its deadline, and what was surely not executed another try within it. */
export class Tasks {
  /** In the order of their deadlines, since all may take as long. */
  private readonly open = new Set<OpenTask>();
  /** From the first try to the answer, or until it is given up. */
  readonly times = new Histogram();
  private underWay = 0;
  private timer: NodeJS.Timeout | null = null;
  private nextTry: Promise<void> | null = null;
  private isClosed = false;

  constructor(private readonly deadlineMs: number) {}

  /** How many have not ended. */
  get waiting(): number {
    return this.underWay;
  }

  /**
   * @param send is called for each try.
   * @throws SluiceError UNAVAILABLE
   */
  run<Reply>(send: (task: Task) => Promise<Reply>): Promise<Reply> {
    if (this.isClosed) return Promise.reject(redisUnavailable(new Error('Redis is closed')));
    if (this.underWay >= MAX_UNDER_WAY) {
      return Promise.reject(redisUnavailable(new Error('too many commands are under way')));
    }
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const endsAt = startedAt + this.deadlineMs;
      const task: OpenTask = { endsAt, isOver: false, lastError: null, reject };
      this.open.add(task);
      this.timer ??= setTimeout(() => this.endOverdue(), this.deadlineMs);
      this.underWay++;
      this.tryOn(task, send)
        .then(resolve, reject)
        .finally(() => {
          this.underWay--;
          this.times.observeSince(startedAt);
          this.open.delete(task);
        });
    });
  }

  close(): void {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    const error = redisUnavailable(new Error('Redis is closed'));
    for (const task of this.open) this.end(task, error);
  }

  private async tryOn<Reply>(task: OpenTask, send: (task: Task) => Promise<Reply>): Promise<Reply> {
    for (;;) {
      try {
        return await send(task);
      } catch (error) {
        task.lastError = error;
        // Whoever waited has been told already.
        if (task.isOver) throw error;
        if (!isWorthAnotherTry(error)) throw redisUnavailable(error);
        await this.untilNextTry();
        if (task.isOver) throw error;
      }
    }
  }

  /** All who wait wait together. */
  private untilNextTry(): Promise<void> {
    this.nextTry ??= new Promise((resolve) => {
      setTimeout(() => {
        this.nextTry = null;
        resolve();
      }, TRY_AGAIN_MS);
    });
    return this.nextTry;
  }

  private endOverdue(): void {
    this.timer = null;
    const now = performance.now();
    const silence = new Error('Redis has not answered in time');
    for (const task of this.open) {
      if (task.endsAt > now) {
        this.timer = setTimeout(() => this.endOverdue(), task.endsAt - now + 1);
        return;
      }
      this.end(task, redisUnavailable(task.lastError ?? silence));
    }
  }

  private end(task: OpenTask, error: unknown): void {
    task.isOver = true;
    this.open.delete(task);
    task.reject(error);
  }
}
