/** Between two tries of what cannot be restored. */
const RETRY_MS = { least: 200, most: 2_000 };

export interface RestorerOptions {
  readonly isConnected: () => boolean;
  /** Does what is to be done after a break; what rejects is tried again. */
  readonly restore: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** Sees to it that after each break everything is restored: once, whole, and anew if it breaks again meanwhile. */
export class Restorer {
  private readonly options: RestorerOptions;
  private breaks = 1;
  /** As of which break everything is restored. */
  private restoredAt = 0;
  private failures = 0;
  private isRestoring = false;
  private timer: NodeJS.Timeout | null = null;
  private isStarted = false;
  private isClosed = false;

  constructor(options: RestorerOptions) {
    this.options = options;
  }

  /** How often there was a break since the start. */
  get breakCount(): number {
    return this.breaks - 1;
  }

  get isRestored(): boolean {
    return this.restoredAt === this.breaks;
  }

  /** From now on there is something to restore. */
  start(): void {
    this.isStarted = true;
    this.restoredAt = this.breaks;
    // It may have broken between the last look and this one.
    if (!this.options.isConnected()) this.break();
  }

  break(): void {
    this.breaks++;
    this.look();
  }

  /** Begins if there is something to do, and it can be done. */
  look(): void {
    const mayBegin = this.isStarted && !this.isClosed && !this.isRestoring && this.timer === null;
    if (mayBegin && !this.isRestored && this.options.isConnected()) void this.restore();
  }

  close(): void {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async restore(): Promise<void> {
    const { breaks } = this;
    this.isRestoring = true;
    try {
      await this.options.restore();
      this.restoredAt = breaks;
      this.failures = 0;
    } catch (error) {
      this.failures++;
      this.options.onFailure(error);
    } finally {
      this.isRestoring = false;
    }
    if (this.isRestored || this.isClosed) return;
    if (this.failures === 0) this.look();
    else this.lookLater();
  }

  private lookLater(): void {
    const meanMs = Math.min(RETRY_MS.least * 2 ** (this.failures - 1), RETRY_MS.most);
    const pauseMs = meanMs * (0.5 + Math.random());
    this.timer = setTimeout(() => {
      this.timer = null;
      this.look();
    }, pauseMs);
  }
}
