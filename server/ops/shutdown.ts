import type { Server } from 'node:http';
import { type Drain, longestStayMs } from '../hub/departures.js';
import type { Hub } from '../hub/hub.js';

/** What the last answers may take beyond the time of the streams, also where they have none. */
const LAST_ANSWERS_MS = 2_000;

/** Whether the service is about to end. */
export interface Ending {
  hasBegun: boolean;
}

/**
 * Ends the service without losing anybody: takes no more connections, has the clients of the streams move, and lets the
 * requests under way finish.
 */
export async function drain(server: Server, hub: Hub, how: Drain): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // A connection whose answer is still to come is not kept alive behind it.
  server.keepAliveTimeout = 1;
  const limitMs = Math.max(longestStayMs(how), how.windowMs, LAST_ANSWERS_MS);
  const cutRequests = setTimeout(() => server.closeAllConnections(), limitMs);
  const giveUp = new Promise<void>((resolve) => {
    setTimeout(resolve, limitMs + LAST_ANSWERS_MS).unref();
  });
  await Promise.race([Promise.all([closed, hub.drain(how.windowMs, how.canMove)]), giveUp]);
  clearTimeout(cutRequests);
}
