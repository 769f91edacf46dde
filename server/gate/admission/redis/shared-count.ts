/** Tells the others how many places are held, and how many are wanted. Resolves with how many of those there are. */
export type Tell = (held: number, wanted: number) => Promise<number>;

interface Taker {
  readonly resolve: (isTaken: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** What this node holds of one count. It tells one thing at a time; what comes meanwhile is told together. */
export class SharedCount {
  #held = 0;
  /** Those who wait, also for what is being told. */
  readonly #takers: Taker[] = [];
  /** How often what the others know became doubtful, and how much of that has been told them since. */
  #doubts = 0;
  #doubtsSettled = 0;
  #telling: Promise<void> | null = null;

  constructor(private readonly tell: Tell) {}

  /** Whether there is nothing to be kept of it. */
  get isIdle(): boolean {
    return this.#held === 0 && this.isSettled;
  }

  get isSettled(): boolean {
    return this.#doubtsSettled === this.#doubts && this.#takers.length === 0;
  }

  /** Resolves with whether there was a place. Rejects if that could not be told; then none is taken. */
  take(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
      // Its failure is the takers'.
      this.settle().catch(() => {});
    });
  }

  /** To be followed by `settle`. */
  give(): void {
    this.#held--;
    this.doubt();
  }

  /** Nobody may know what is held. */
  doubt(): void {
    this.#doubts++;
  }

  /** Resolves when the others know what is held. Rejects if they could not be told. */
  settle(): Promise<void> {
    if (this.isSettled) return Promise.resolve();
    this.#telling ??= this.#tellAll();
    return this.#telling;
  }

  async #tellAll(): Promise<void> {
    try {
      while (!this.isSettled) await this.#tellOnce();
    } finally {
      this.#telling = null;
    }
  }

  async #tellOnce(): Promise<void> {
    const held = this.#held;
    const asking = this.#takers.length;
    const doubts = this.#doubts;
    try {
      const granted = (await this.tell(held, held + asking)) - held;
      this.#held += granted;
      this.#doubtsSettled = doubts;
      const takers = this.#takers.splice(0, asking);
      for (const [index, { resolve }] of takers.entries()) resolve(index < granted);
    } catch (error) {
      // It may have been executed all the same, or may still be.
      this.doubt();
      for (const { reject } of this.#takers.splice(0)) reject(error);
      throw error;
    }
  }
}
