import { nameSettings } from '../setting.js';
import { integer, limit } from '../setting-kinds.js';

export const STREAM_SETTINGS = nameSettings({
  HEARTBEAT_MS: integer({
    meaning:
      'Time between two heartbeats of a stream. Clients take a stream for dead after three of the default.',
    fallback: 15_000,
    least: 100,
    most: 30_000,
  }),
  RETRY_MS: integer({
    meaning:
      "Mean delay that a browser's `EventSource` is told to wait before it connects anew. Each stream gets its own, from half of it to one and a half.",
    fallback: 2_000,
    least: 100,
    most: 300_000,
  }),
  MAX_BACKLOG_BYTES: integer({
    meaning:
      'Bytes of events that may wait for one stream for longer than a second, before it is ended with SLOW_CONSUMER.',
    fallback: 1_048_576,
    least: 65_536,
    most: 268_435_456,
  }),
  STALL_MS: integer({
    meaning:
      'How long a client may take nothing while bytes wait for it, before its stream is ended with SLOW_CONSUMER.',
    fallback: 30_000,
    least: 1_000,
    most: 600_000,
  }),
});

/** How many streams may be open at once, and how many attempts may fail. */
export const ADMISSION_SETTINGS = nameSettings({
  MAX_STREAMS: integer({
    meaning:
      'Streams that may be open at once. More are refused with RATE_LIMIT_EXCEEDED; those that are open stay.',
    fallback: 100_000,
    least: 1,
    most: 1_000_000,
  }),
  MAX_STREAMS_PER_SUBJECT: limit({
    meaning: 'The same for one `sub` of one issuer.',
    fallback: 100,
    most: 1_000_000,
  }),
  MAX_STREAMS_PER_WORKSPACE: limit({
    meaning: 'The same for one workspace.',
    fallback: 50_000,
    most: 1_000_000,
  }),
  MAX_STREAMS_PER_ADDRESS: limit({
    meaning: 'The same for one client address; for IPv6, one network of 64 bits.',
    fallback: 5_000,
    most: 1_000_000,
  }),
  MAX_FAILED_ATTEMPTS_PER_MINUTE: limit({
    meaning:
      'How many invalid tokens and wrong secrets one address may send in a minute, before it gets RATE_LIMIT_EXCEEDED. Tokens that were verified before still enter.',
    fallback: 120,
    most: 1_000_000,
  }),
  MAX_OPENS_PER_SECOND: limit({
    meaning:
      'Streams that one node opens in a second. More are refused with UNAVAILABLE before their permission is asked for, each with a `Retry-After` of its own, so that those who come at once come back one after the other.',
    fallback: 1_000,
    most: 1_000_000,
  }),
});
