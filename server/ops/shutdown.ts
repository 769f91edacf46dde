import type { Server } from 'node:http';
import type { Hub } from '../hub/hub.js';

/** What the last answers may take beyond the drain window. */
const LAST_ANSWERS_MS = 1_000;

/**
 * Ends the service without losing anybody: takes no more connections, sends the streams away, and lets the requests
 * under way finish for at most `drainMs`.
 */
export async function drain(server: Server, hub: Hub, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // A connection whose answer is still to come is not kept alive behind it.
  server.keepAliveTimeout = 1;
  const cutRequests = setTimeout(() => server.closeAllConnections(), drainMs);
  const giveUp = new Promise<void>((resolve) => {
    setTimeout(resolve, drainMs + LAST_ANSWERS_MS).unref();
  });
  await Promise.race([Promise.all([closed, hub.drain(drainMs)]), giveUp]);
  clearTimeout(cutRequests);
}
