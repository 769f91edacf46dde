import type { ServerResponse } from 'node:http';
import { CONTENT_TYPES } from '@sluice/protocol';

/** The headers of every event stream. */
const STREAM_HEADERS = Object.entries({
  'Content-Type': CONTENT_TYPES.eventStream,
  // Nobody on the way may keep it, or hold it back to compress it.
  'Cache-Control': 'private, no-store, no-transform',
  // nginx would buffer the stream otherwise.
  'X-Accel-Buffering': 'no',
  // The address of a stream may hold a token.
  'Referrer-Policy': 'no-referrer',
  Vary: 'Origin',
});

export function setStreamHeaders(response: ServerResponse): void {
  for (const [name, value] of STREAM_HEADERS) response.setHeader(name, value);
}
