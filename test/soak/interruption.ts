import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whatever ends the soak before its time, so that it can take down all it has started. */
export class Interruption {
  /** Resolves, when it comes, with the code to exit with. */
  readonly code: Promise<number>;
  readonly #controller = new AbortController();

  constructor(tell: (reason: string) => void) {
    this.code = new Promise((resolve) => {
      const end = (reason: string, code: number) => {
        // What breaks while everything is taken down says nothing.
        if (this.signal.aborted) return;
        tell(reason);
        resolve(code);
        this.#controller.abort();
      };
      for (const name of SIGNALS) {
        process.on(name, () => end(name, 128 + constants.signals[name]));
      }
      const fail = (error: unknown) => {
        end(error instanceof Error ? (error.stack ?? error.message) : String(error), 1);
      };
      process.on('uncaughtException', fail).on('unhandledRejection', fail);
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
}
