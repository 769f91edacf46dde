import { CONTENT_TYPES } from '@sluice/protocol';

/** The head of every event stream. */
export function streamHeaders(): Record<string, string> {
  return {
    'Content-Type': CONTENT_TYPES.eventStream,
    // Nobody on the way may keep it, or hold it back to compress it.
    'Cache-Control': 'private, no-store, no-transform',
    // nginx would buffer the stream otherwise.
    'X-Accel-Buffering': 'no',
    // The address of a stream may hold a token.
    'Referrer-Policy': 'no-referrer',
    Vary: 'Origin',
  };
}
