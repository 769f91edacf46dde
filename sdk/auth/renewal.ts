/** A token is renewed this long before its end, in milliseconds, but never before four fifths of its life are over. */
const MAX_AHEAD_MS = 60_000;
const MAX_AHEAD_SHARE = 0.2;

/** How long before its end a token that lives `lifeMs` is renewed. */
export function renewalAheadMs(lifeMs: number): number {
  return Math.min(MAX_AHEAD_MS, lifeMs * MAX_AHEAD_SHARE);
}
