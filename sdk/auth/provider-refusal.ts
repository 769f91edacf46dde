import type { RealtimeError } from '../errors.js';
import { type FetchLikeResponse, isRedirect } from '../http/fetch-like.js';
import { readRetryAfter } from '../http/retry-after.js';
import { tokenFailure } from './token-failure.js';

/**
 * What an endpoint means that was asked for a token and answered without one. Waiting helps against a busy or a broken
 * one; every other answer will be the same the next time.
 * @param endpoint what it is called in the message: `token endpoint`
 */
export function providerRefusal(response: FetchLikeResponse, endpoint: string): RealtimeError {
  const { status } = response;
  return tokenFailure({
    message: isRedirect(response)
      ? `The ${endpoint} answered with a redirect, which is not followed: it would carry the credentials elsewhere`
      : `The ${endpoint} answered with status ${status}`,
    recoverable: status >= 500 || status === 429 || status === 408,
    ...(status !== 0 && { status }),
    retryAfterMs: readRetryAfter(response),
  });
}
