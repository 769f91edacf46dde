import type { Server } from 'node:http';
import type { Hub } from '../hub/hub.js';

/**
 * Ends the service without losing anybody: takes no more connections, sends the streams away, lets the requests under
 * way finish for at most `drainMs`.
 */
export async function drain(server: Server, hub: Hub, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await hub.drain(drainMs);
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await Promise.race([closed, streamsTakeTooLong(drainMs)]);
  clearTimeout(timer);
}

/** Sockets that were taken over are not among the server's connections; each ends by itself within its grace. */
function streamsTakeTooLong(drainMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, drainMs + 500).unref());
}
