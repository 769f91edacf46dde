import { EventSource } from 'eventsource';
import type { OpenEventSource } from './event-source-like.js';

/** The EventSource of the package `eventsource`, for Node and whatever else has none of its own. */
export const openEventSource: OpenEventSource = (url, ask) =>
  new EventSource(url, {
    fetch: async () => {
      const { status, headers, body } = await ask();
      return { status, headers, body, url, redirected: false };
    },
  });
