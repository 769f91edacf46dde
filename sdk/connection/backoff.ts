import { TERMINAL_RETRY_MS } from '@sluice/protocol';

/** Between which bounds the pauses before new attempts grow. */
export interface Backoff {
  /** Upper bound of the first pause, in milliseconds. Default: 500. */
  readonly baseMs: number;
  /** Upper bound of every pause, in milliseconds. Default: 30,000. */
  readonly ceilMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 500, ceilMs: 30_000 };

/** No word of a service keeps a client away for longer than this. */
export const MAX_WAIT_MS = 300_000;

/**
 * The pause before the next attempt, with full jitter: anywhere between nothing and the bound, which doubles with each
 * failure, so that clients that lost their service together do not come back together.
 * @param failures failures in a row before this pause, from 0 on
 * @param random from 0 up to 1. Default: drawn
 */
export function backoffMs(
  failures: number,
  { baseMs, ceilMs }: Backoff,
  random = Math.random(),
): number {
  return Math.floor(random * Math.min(ceilMs, baseMs * 2 ** failures));
}

/** The backoff after the stream's `retry:` lifted its base. A terminal `retry:` is meant for native clients alone. */
export function raiseBackoff(backoff: Backoff, retryMs: number): Backoff {
  if (retryMs >= TERMINAL_RETRY_MS) return backoff;
  const baseMs = Math.max(backoff.baseMs, clampWait(retryMs));
  return { baseMs, ceilMs: Math.max(backoff.ceilMs, baseMs) };
}

/** A wait that somebody else asked for, within reason. */
export function clampWait(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, 0), MAX_WAIT_MS);
}
