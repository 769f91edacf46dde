import type { OpenEventSource } from './event-source-like.js';

/** The EventSource of the browser. */
export const openEventSource: OpenEventSource = (url) => new globalThis.EventSource(url);
