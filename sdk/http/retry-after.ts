import { clampWait } from '../connection/backoff.js';
import type { FetchLikeResponse } from './fetch-like.js';

/** `Retry-After` in milliseconds (RFC 9110, section 10.2.3: seconds or a date), within reason. */
export function readRetryAfter(response: FetchLikeResponse): number | undefined {
  const value = response.headers.get('retry-after') ?? '';
  const isSeconds = /^\s*\d+\s*$/.test(value);
  const waitMs = isSeconds ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(waitMs) ? undefined : clampWait(waitMs);
}
