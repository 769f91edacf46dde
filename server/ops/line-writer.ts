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

/** What its owner is told of; each once, however many lines it concerns. */
export interface LineWriterEvents {
  readonly onFailure: (error: Error) => void;
  /** @param lost how many lines were lost since it last went well. */
  readonly onRecovery: (lost: number) => void;
}

/**
 * Appends lines to a file or to standard error, and never holds up whoever writes them: lines wait in a bounded buffer
 * while the place cannot be written to, and those that find no room are lost, and counted.
 */
export class LineWriter {
  private waiting: string[] = [];
  private waitingBytes = 0;
  private lost = 0;
  private isFailing = false;
  private isClosed = false;
  private isGivenUp = false;
  private drained: Promise<void> | null = null;

  private constructor(
    private readonly fd: number,
    private readonly events: LineWriterEvents,
  ) {}

  /** @throws Error of the system if the file cannot be opened. A file that is made is its owner's alone to read. */
  static async openFile(path: string, events: LineWriterEvents): Promise<LineWriter> {
    return new LineWriter(await openFile(path, 'a', 0o600), events);
  }

  static onStderr(events: LineWriterEvents): LineWriter {
    return new LineWriter(STDERR, events);
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
    await this.drained;
    if (this.fd !== STDERR) await closeFile(this.fd).catch(() => {});
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      if (!this.isClosed) await pause(GATHER_MS);
      const bytes = Buffer.from(this.waiting.join(''));
      this.waiting = [];
      await this.writeAll(bytes);
      this.waitingBytes -= bytes.length;
    }
    this.drained = null;
  }

  /** Ends when all is written. Half a line is followed by its other half, whatever failed in between. */
  private async writeAll(bytes: Buffer): Promise<void> {
    let written = 0;
    while (written < bytes.length && !this.isGivenUp) {
      try {
        written += (await writeTo(this.fd, bytes, written)).bytesWritten;
        this.noteSuccess();
      } catch (error) {
        const isFullPipe = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (!isFullPipe) this.noteFailure(error as Error);
        await pause(isFullPipe ? FULL_PIPE_MS : RETRY_MS);
      }
    }
  }

  private noteFailure(error: Error): void {
    if (!this.isFailing) this.events.onFailure(error);
    this.isFailing = true;
  }

  private noteSuccess(): void {
    if (!this.isFailing && this.lost === 0) return;
    this.events.onRecovery(this.lost);
    this.isFailing = false;
    this.lost = 0;
  }
}

/** Does not keep the process alive: what cannot be written must not keep it from its end. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
