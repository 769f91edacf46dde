import type { FetchLikeResponse } from '../../http/fetch-like.js';

/** What the SDK needs of an EventSource. */
export interface EventSourceLike {
  addEventListener(type: string, listener: (event: Event) => void): void;
  close(): void;
}

/**
 * Opens an EventSource. Which one is decided by the conditions of `#event-source` in package.json.
 * @param ask asks for the stream, and sees what an EventSource hides: statuses, refusals, heartbeats. A browser's does its
 * own asking, and never calls it.
 */
export type OpenEventSource = (
  url: string,
  ask: () => Promise<FetchLikeResponse>,
) => EventSourceLike;
