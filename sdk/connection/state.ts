/**
 * Where a stream is in its life:
 *
 *     idle -> authorizing -> connecting -> connected
 *                  ^  |          |             |
 *                  |  +----------+-------------+--> reconnecting (waits, then authorizing)
 *                  |  |          |             |
 *                  |  +----------+-------------+--> failed (waits for setToken, then authorizing)
 *                  |                           |
 *                  +----- setToken ------------+
 *
 *     every state -> closed
 *
 * - `idle`: nothing was asked for yet
 * - `authorizing`: a token is being had
 * - `connecting`: the stream was asked for; the service has not said `stream.connected`
 * - `connected`: events flow
 * - `reconnecting`: the stream is down; the next attempt comes by itself
 * - `failed`: the stream is down, and no attempt comes before `setToken`
 * - `closed`: for good
 *
 * `setToken` leads from every state but `idle` and `closed` to `authorizing`.
 */
export type ConnectionState =
  | 'idle'
  | 'authorizing'
  | 'connecting'
  | 'connected'
  | 'reconnecting'
  | 'closed'
  | 'failed';

/** Streams that are down come before streams that are on their way, and these before the healthy ones. */
const MOST_TROUBLED_FIRST: readonly ConnectionState[] = [
  'failed',
  'reconnecting',
  'authorizing',
  'connecting',
  'connected',
];

/** One state for several streams: that of the most troubled one; `idle` where there is no stream. */
export function summaryOf(states: readonly ConnectionState[]): ConnectionState {
  return MOST_TROUBLED_FIRST.find((state) => states.includes(state)) ?? 'idle';
}
