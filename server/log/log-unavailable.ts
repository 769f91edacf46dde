import { SluiceError, spreadRetryMs } from '../errors.js';

/** What callers are told while the log cannot be read or written, whatever keeps it. */
export function logUnavailable(cause?: unknown): SluiceError {
  return new SluiceError('UNAVAILABLE', 'The event log cannot be reached right now.', {
    cause,
    retryAfterMs: spreadRetryMs(2_000),
  });
}
