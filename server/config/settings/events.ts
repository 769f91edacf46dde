import { nameSettings } from '../setting.js';
import { integer, path } from '../setting-kinds.js';

export const PUBLISH_SETTINGS = nameSettings({
  MAX_EVENT_BYTES: integer({
    meaning: 'Size of one event, as JSON with all its attributes.',
    fallback: 65_536,
    least: 1_024,
    most: 1_048_576,
  }),
  MAX_BATCH: integer({
    meaning: 'Events that one request may publish.',
    fallback: 1_000,
    least: 1,
    most: 10_000,
  }),
  MAX_BODY_BYTES: integer({
    meaning: 'Size of the body of a publish request, after decoding.',
    fallback: 1_048_576,
    least: 1_024,
    most: 16_777_216,
  }),
});

export const RETENTION_SETTINGS = nameSettings({
  RETENTION_SECONDS: integer({
    meaning:
      'How long events are kept. How much longer they may stay: see [Retention](#retention).',
    fallback: 86_400,
    least: 1,
    most: 31_536_000,
  }),
  RETENTION_EVENTS: integer({
    meaning: 'How many events of a workspace are kept.',
    fallback: 100_000,
    least: 1,
    most: 100_000_000,
  }),
  RETENTION_BYTES: integer({
    meaning: 'How many bytes of events are kept of a workspace.',
    fallback: 268_435_456,
    least: 65_536,
    most: 1_099_511_627_776,
  }),
  RETENTION_FILE: path({
    meaning:
      'Other bounds for some workspaces: see [Retention](#retention). It is read at the start.',
    bounds: 'a path to a JSON file',
  }),
});
