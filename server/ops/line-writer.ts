import { close, open, write } from 'node:fs';
import { promisify } from 'node:util';

const openFile = promisify(open);
const closeFile = promisify(close);
const writeTo = promisify(write);

const STDERR = 2;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** How long a place that cannot be written to is left alone. */
const RETRY_MS = 500;
/** How long lines are gathered, so that many of them are one write. */
const GATHER_MS = 10;
/** A pipe that is full for the moment is no failure. */
const FULL_PIPE_MS = 20;
const LINE_END = 10;

/** What its owner is told of; each once, however many lines it concerns. */
export interface LineWriterEvents {
  readonly onFailure: (error: Error) => void;
  /** @param lost how many lines were lost since it last went well. */
  readonly onRecovery: (lost: number) => void;
  /** The file cannot be opened anew: the former one is written to as before. */
  readonly onNotReopened?: (error: Error) => void;
}

/**
 * Appends lines to a file or to standard error, and never holds up whoever writes them: lines wait in a bounded buffer
 * while the place cannot be written to, and those that find no room are lost, and counted.
 */
export class LineWriter {
  /** Two writers of standard error would tear each other's lines apart where one of them is written in two parts. */
  private static stderrTurn: Promise<void> = Promise.resolve();

  private waiting: string[] = [];
  private waitingBytes = 0;
  private lost = 0;
  private lostBefore = 0;
  private isFailing = false;
  private isClosed = false;
  private isGivenUp = false;
  private drained: Promise<void> | null = null;
  /** The file that was opened anew, and is not written to yet. */
  private nextFd: number | null = null;
  private opening: Promise<void> | null = null;

  private constructor(
    private fd: number,
    private readonly path: string | null,
    private readonly events: LineWriterEvents,
  ) {}

  /** @throws Error of the system if the file cannot be opened. A file that is made is its owner's alone to read. */
  static async openFile(path: string, events: LineWriterEvents): Promise<LineWriter> {
    return new LineWriter(await openOwn(path), path, events);
  }

  static onStderr(events: LineWriterEvents): LineWriter {
    return new LineWriter(STDERR, null, events);
  }

  /** How many lines found no room, since the start. */
  get lostLines(): number {
    return this.lostBefore + this.lost;
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.isClosed || this.waitingBytes + bytes > MAX_WAITING_BYTES) {
      this.lost++;
      return;
    }
    this.waiting.push(line);
    this.waitingBytes += bytes;
    this.drained ??= this.drain();
  }

  /**
   * Opens the file anew by its name, for when it was moved away; the lines that come next are in the new one. Where it
   * cannot be opened, the former one stays, and the failure is told.
   */
  reopen(): void {
    if (this.path === null || this.isClosed) return;
    const { path } = this;
    // One after the other: what was asked for last counts.
    this.opening = (this.opening ?? Promise.resolve()).then(() => this.openNext(path));
  }

  /** Writes what waits, for at most `patienceMs`, and lets go of the file. */
  async close(patienceMs: number): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    await Promise.race([this.letGo(), patience]);
    this.isGivenUp = true;
    clearTimeout(timer);
  }

  /** Not before the last write has ended: by then the file's number could be another file's. */
  private async letGo(): Promise<void> {
    await this.opening;
    while (this.drained !== null) await this.drained;
    await this.turnToNext();
    if (this.fd !== STDERR) await closeFile(this.fd).catch(() => {});
  }

  private async openNext(path: string): Promise<void> {
    try {
      const opened = await openOwn(path);
      if (this.nextFd !== null) await closeFile(this.nextFd).catch(() => {});
      this.nextFd = opened;
      // Without a line to write, the file that was moved away is let go of all the same.
      this.drained ??= this.drain();
    } catch (error) {
      this.events.onNotReopened?.(error as Error);
    }
  }

  /** Whether there was another file to write to. */
  private async turnToNext(): Promise<boolean> {
    const { nextFd } = this;
    if (nextFd === null) return false;
    this.nextFd = null;
    const former = this.fd;
    this.fd = nextFd;
    await closeFile(former).catch(() => {});
    return true;
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      if (!this.isClosed) await pause(GATHER_MS);
      await this.turnToNext();
      const bytes = Buffer.from(this.waiting.join(''));
      this.waiting = [];
      await this.inTurn(() => this.writeAll(bytes));
      this.waitingBytes -= bytes.length;
      // Not before there is room again: what is told of it may be a line of this very writer.
      if (!this.isGivenUp) this.noteSuccess();
    }
    await this.turnToNext();
    this.drained = null;
    // What came while the file was turned to found a writer at work.
    if (this.waiting.length > 0 || this.nextFd !== null) this.drained = this.drain();
  }

  private async inTurn(work: () => Promise<void>): Promise<void> {
    if (this.fd !== STDERR) return work();
    const turn = LineWriter.stderrTurn.then(work);
    LineWriter.stderrTurn = turn;
    await turn;
  }

  /** Ends when all is written. Half a line is followed by its other half, whatever failed in between. */
  private async writeAll(bytes: Buffer): Promise<void> {
    let written = 0;
    while (written < bytes.length && !this.isGivenUp) {
      try {
        written += (await writeTo(this.fd, bytes, written)).bytesWritten;
      } catch (error) {
        const isFullPipe = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (!isFullPipe) this.noteFailure(error as Error);
        // The new file gets the whole of a line of which the former one has a part.
        if (await this.turnToNext()) written = startOfLine(bytes, written);
        else await pause(isFullPipe ? FULL_PIPE_MS : RETRY_MS);
      }
    }
  }

  private noteFailure(error: Error): void {
    if (!this.isFailing) this.events.onFailure(error);
    this.isFailing = true;
  }

  private noteSuccess(): void {
    if (!this.isFailing && this.lost === 0) return;
    const { lost } = this;
    this.isFailing = false;
    this.lostBefore += lost;
    this.lost = 0;
    this.events.onRecovery(lost);
  }
}

/** Where the line begins that has been written up to `end`. */
function startOfLine(bytes: Buffer, end: number): number {
  return bytes.subarray(0, end).lastIndexOf(LINE_END) + 1;
}

function openOwn(path: string): Promise<number> {
  return openFile(path, 'a', 0o600);
}

/** Does not keep the process alive: what cannot be written must not keep it from its end. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
