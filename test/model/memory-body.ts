import type { FetchLikeBody, FetchLikeReader } from '@sluice/sdk';

/** The body of an answer, written by the service of the model and read by the client. */
export class MemoryBody implements FetchLikeBody {
  readonly #chunks: Uint8Array[] = [];
  #isDone = false;
  #error: Error | null = null;
  #wake: () => void = () => {};

  write(text: string): void {
    if (this.#isDone) return;
    this.#chunks.push(new TextEncoder().encode(text));
    this.#wake();
  }

  end(): void {
    this.#isDone = true;
    this.#wake();
  }

  /** The connection breaks: what was written still arrives, the end does not. */
  cut(): void {
    this.#error ??= new TypeError('terminated');
    this.end();
  }

  getReader(): FetchLikeReader {
    return {
      read: async () => {
        while (this.#chunks.length === 0 && !this.#isDone) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
        const value = this.#chunks.shift();
        if (value !== undefined) return { done: false, value };
        if (this.#error !== null) throw this.#error;
        return { done: true };
      },
      cancel: async () => this.end(),
    };
  }
}
