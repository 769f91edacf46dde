import type { MetricSet } from './metric-set.js';
import type { Now } from './snapshot.js';

export function addEventMetrics(add: MetricSet, now: Now): void {
  addPublished(add, now);
  addDelivered(add, now);
  add.gauge(
    'log_workspaces',
    'Workspaces that have events in the log.',
    () => now().log?.workspaces ?? null,
  );
  add.gauge('log_events', 'Events in the log.', () => now().log?.events ?? null);
  add.gauge(
    'log_bytes',
    'What the log takes: on disk, or all memory that Redis uses.',
    () => now().log?.bytes ?? null,
  );
  add.gauge(
    'log_limit_bytes',
    'What the log may take before publishing is refused.',
    () => now().log?.capacity ?? null,
  );
}

function addPublished(add: MetricSet, now: Now): void {
  add.counter(
    'events_published_total',
    'Events that were published through this node.',
    () => now().publish.events,
  );
  add.counter('events_published_bytes_total', 'Their size as JSON.', () => now().publish.bytes);
  add.counters(
    {
      name: 'workspace_events_published_total',
      help: 'Events that were published through this node, of listed workspaces.',
    },
    ['workspace'],
    () =>
      [...now().publish.byWorkspace].map(([workspace, events]) => [{ workspace }, events] as const),
  );
  add.histogram(
    'log_append_seconds',
    'Until events that were published are durable, or are known not to be.',
    () => now().publish.append,
  );
  add.counter(
    'log_append_failures_total',
    'Appends that the log has not confirmed.',
    () => now().publish.appendFailures,
  );
}

function addDelivered(add: MetricSet, now: Now): void {
  add.counter(
    'events_delivered_total',
    'Events that were handed to sockets; one for ten streams counts ten times.',
    () => now().hub.delivered,
  );
  add.counter(
    'events_replayed_total',
    'Those among them for streams that came back or fell behind.',
    () => now().hub.replayed,
  );
  add.counter(
    'written_bytes_total',
    'Bytes of events and heartbeats that were handed to sockets.',
    () => now().hub.writtenBytes,
  );
  add.histogram(
    'publish_to_write_seconds',
    'From the coming of an event at this node to its last write; one observation for each round of writes.',
    () => now().hub.publishToWrite,
  );
  add.counters(
    {
      name: 'workspace_events_delivered_total',
      help: 'Events that were handed to sockets, of listed workspaces.',
    },
    ['workspace'],
    () =>
      [...now().hub.byWorkspace].map(([workspace, { events }]) => [{ workspace }, events] as const),
  );
}
