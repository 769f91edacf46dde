/**
 * Where a client's stream is in its life:
 *
 *     idle -> authorizing -> connecting -> connected
 *                  ^  |          |             |
 *                  |  +----------+-------------+--> reconnecting (waits, then authorizing)
 *                  |  |          |             |
 *                  |  +----------+-------------+--> suspended (waits for its surroundings, then authorizing)
 *                  |  |          |             |
 *                  |  +----------+-------------+--> failed (waits for the application, then authorizing)
 *                  |                           |
 *                  +---------------------------+
 *
 *     idle, suspended, failed -> reconnecting, where the service has asked to be left alone, or was tried too often
 *     idle, failed -> suspended, where the page is put away
 *     every state but closed -> idle, with the last subscription
 *     every state -> closed
 *
 * - `idle`: there is no subscription
 * - `authorizing`: a token is being had
 * - `connecting`: the stream was asked for; the service has not said `stream.connected`
 * - `connected`: events flow. A renewal, and a move away from a service that goes down, happen within this state: the
 *   next stream takes over from the live one
 * - `reconnecting`: the stream is down; the next attempt comes by itself
 * - `suspended`: the stream is down, and so is the machine's network, or the page is put away; the next attempt comes
 *   by itself once that is over
 * - `failed`: the stream is down, and no attempt comes before `setToken`, `reconnect` or another subscription
 * - `closed`: for good
 */
export type ConnectionState =
  | 'idle'
  | 'authorizing'
  | 'connecting'
  | 'connected'
  | 'reconnecting'
  | 'suspended'
  | 'failed'
  | 'closed';
