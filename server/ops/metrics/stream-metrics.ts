import type { EndReason, GapReason } from '../../hub/tally.js';
import type { Vitals } from '../vitals.js';
import { countsBy } from './counts-by.js';
import type { MetricSet } from './metric-set.js';
import type { Now } from './snapshot.js';

/** Why streams end, as far as is known beforehand. */
const END_REASONS: readonly EndReason[] = [
  'client',
  'TOKEN_EXPIRED',
  'INVALID_TOKEN',
  'FORBIDDEN',
  'AUTH_ERROR',
  'SLOW_CONSUMER',
  'UNAVAILABLE',
  'INTERNAL_ERROR',
];
const GAP_REASONS: readonly GapReason[] = ['expired', 'unknown_epoch', 'ahead', 'lost'];

export function addStreamMetrics(add: MetricSet, { maxStreams, gate }: Vitals, now: Now): void {
  add.gauge('streams', 'Streams that are open.', () => now().hub.streams);
  add.gauge('streams_limit', 'Streams that may be open.', () => maxStreams);
  add.counter('streams_opened_total', 'Streams that were opened.', () => now().hub.opened);
  add.counters(
    {
      name: 'streams_ended_total',
      help: 'Streams that ended, by what the service said; "client": the client or the network ended it.',
    },
    ['code'],
    () => countsBy('code', END_REASONS, now().hub.ended),
  );
  add.gauge(
    'stream_workspaces',
    'Workspaces that have streams on this node.',
    () => now().hub.workspaces,
  );
  add.gauge(
    'stream_rechecks_failing',
    'Streams whose permission cannot be asked for again at the moment.',
    () => gate.admissions.failingRechecks,
  );
  addBacklog(add, now);
  add.counters(
    { name: 'gaps_total', help: 'Gaps that streams were told of, by why history was gone.' },
    ['reason'],
    () => countsBy('reason', GAP_REASONS, now().hub.gaps),
  );
  add.gauges(
    { name: 'workspace_streams', help: 'Streams that are open, of listed workspaces.' },
    ['workspace'],
    () =>
      [...now().hub.byWorkspace].map(
        ([workspace, { streams }]) => [{ workspace }, streams] as const,
      ),
  );
}

function addBacklog(add: MetricSet, now: Now): void {
  add.gauge(
    'blocked_streams',
    'Streams whose socket takes no more at the moment.',
    () => now().hub.blocked,
  );
  add.gauge(
    'queued_bytes',
    'Bytes that wait for the sockets of those streams.',
    () => now().hub.queuedBytes,
  );
  add.gauge(
    'lagging_streams',
    'Streams that may lack events which are there: they come back, or their sockets take nothing.',
    () => now().hub.lagging,
  );
  add.gauge(
    'tail_bytes',
    'Newest events in memory, of workspaces that have streams here.',
    () => now().hub.tailBytes,
  );
  add.gauge(
    'history_cache_bytes',
    'Older events in memory, for streams that came back.',
    () => now().hub.historyBytes,
  );
  add.gauge(
    'history_cache_limit_bytes',
    'What the history cache may hold.',
    () => now().hub.maxHistoryBytes,
  );
}
