import { TERMINAL_RETRY_MS } from '@sluice/protocol';

/** Between which bounds the pauses before new attempts grow. */
export interface Backoff {
  /** Upper bound of the first pause, in milliseconds. Default: 500. */
  readonly baseMs: number;
  /** Upper bound of every pause, in milliseconds. Default: 30,000. */
  readonly ceilMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 500, ceilMs: 30_000 };

/** No word of a service keeps a client away for longer than this, and what is added so that clients come back spread. */
export const MAX_WAIT_MS = 300_000;
export const LONGEST_PAUSE_MS = 2 * MAX_WAIT_MS;
/** Up to this share more, at random. */
const JITTER_SHARE = 0.25;

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

/** What many were told alike, made somewhat longer, so that they do not do the same thing together. */
export function spread(milliseconds: number): number {
  return milliseconds * (1 + JITTER_SHARE * Math.random());
}

/** A wait that somebody else asked for, within reason. */
export function clampWait(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, 0), MAX_WAIT_MS);
}
