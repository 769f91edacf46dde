import { SluiceError } from '../errors.js';

export interface WorkBounds {
  readonly running: number;
  readonly waiting: number;
  /** What a caller that finds no place is told to wait. */
  readonly retryAfterMs: number;
}

/**
 * Runs costly work for a few callers at once; some more wait for their turn, and others are refused.
 * The returned function throws SluiceError RATE_LIMIT_EXCEEDED when every place is taken.
 */
export function createBoundedWork(
  bounds: WorkBounds,
): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let running = 0;
  const waiting: (() => void)[] = [];

  return async (work) => {
    if (running < bounds.running) {
      running++;
    } else {
      if (waiting.length >= bounds.waiting) {
        throw new SluiceError('RATE_LIMIT_EXCEEDED', 'Too many requests at once', {
          retryAfterMs: bounds.retryAfterMs,
        });
      }
      // Whoever finishes hands its place on, so that `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
