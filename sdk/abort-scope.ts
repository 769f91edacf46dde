import { LONGEST_PAUSE_MS } from './connection/backoff.js';

/**
 * A piece of work that can be called off: by whoever started it (`outer`), by its own deadlines, or by itself. The
 * reason of the abort is the error that the work ends with. `end()` leaves no timer and no listener behind.
 */
export class AbortScope {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  readonly #outer: AbortSignal | null;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #follow = (): void => this.abort(this.#outer?.reason);

  constructor(outer: AbortSignal | null) {
    this.#outer = outer;
    if (outer?.aborted) this.#follow();
    else outer?.addEventListener('abort', this.#follow, { once: true });
  }

  abort(reason?: unknown): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#controller.abort(reason);
  }

  /** Aborts in `ms`, unless the function that it returns is called first. */
  abortAfter(ms: number, reason: () => unknown): () => void {
    return this.after(ms, () => this.abort(reason()));
  }

  /** Calls `act` in `ms`, unless this has ended by then, or the function that it returns is called first. */
  after(ms: number, act: () => void): () => void {
    const timer = setTimeout(act, ms);
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }

  end(): void {
    this.#outer?.removeEventListener('abort', this.#follow);
    // Frees what still listens to the signal: a body that nobody will read any more holds a socket.
    this.abort();
  }
}

/** `promise`, or the reason of the abort if that comes first, also where the work behind `promise` does not heed it. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Resolves after `ms`, ten minutes at most, or when `signal` aborts. A timer takes a time that is no number for none. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const scope = new AbortScope(signal);
  scope.abortAfter(ms <= LONGEST_PAUSE_MS ? ms : LONGEST_PAUSE_MS, () => null);
  await untilAborted(new Promise(() => {}), scope.signal).catch(() => {});
  scope.end();
}
