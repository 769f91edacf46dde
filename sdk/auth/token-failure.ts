import type { ErrorCode } from '@sluice/protocol';
import { RealtimeError, type RealtimeErrorDetails } from '../errors.js';

const made = new WeakSet<object>();

/** Why the SDK's own sources have no token. It holds no secret. */
export function tokenFailure(
  details: RealtimeErrorDetails = {},
  code: ErrorCode = 'TOKEN_PROVIDER_ERROR',
): RealtimeError {
  const error = new RealtimeError(code, details);
  made.add(error);
  return error;
}

/** Whether `tokenFailure` has made it. A function of the application may throw a RealtimeError that says anything. */
export function isTokenFailure(thrown: unknown): thrown is RealtimeError {
  return made.has(thrown as object);
}
