import { clampWait } from '../connection/backoff.js';
import type { FetchLikeResponse } from './fetch-like.js';

/** `Retry-After` in milliseconds (RFC 9110, section 10.2.3: seconds or a date), within reason. */
export function readRetryAfter(response: FetchLikeResponse): number | undefined {
  const value = response.headers.get('retry-after')?.trim() ?? '';
  if (/^[0-9]+$/.test(value)) return clampWait(Number(value) * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : clampWait(date - Date.now());
}
