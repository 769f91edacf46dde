import { collectDefaultMetrics, Registry } from 'prom-client';
import { VERSION } from '../../cli/version.js';
import type { EventLoopDelay } from '../event-loop-delay.js';
import { obstaclesOf, type Phase, type Vitals } from '../vitals.js';
import type { Labelled, MetricSet } from './metric-set.js';

/** Of the process. Those that look at each socket are left out: there are as many as streams. */
const PROCESS_METRICS = [
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_max_fds',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_gc_duration_seconds',
  'nodejs_version_info',
];
/** prom-client watches the event loop too, in a way that each scrape changes: as seldom as can be. */
const HARDLY_EVER_MS = 86_400_000;

export function addNodeMetrics(add: MetricSet, vitals: Vitals, phase: () => Phase): void {
  add.gauges(
    { name: 'build_info', help: 'Always 1: which Sluice runs, on which Node.' },
    ['version', 'node'],
    () => [[{ version: VERSION, node: process.version }, 1]],
  );
  add.gauge('ready', 'Whether the node takes streams.', () =>
    Number(obstaclesOf(vitals, phase()).length === 0),
  );
  add.counters(
    { name: 'log_lines_lost_total', help: 'Lines of the log and of the audit log that were lost.' },
    ['log'],
    () => {
      const { log, audit } = vitals;
      const ofLog = log.lostLines;
      const ofAudit: Labelled<number> = [{ log: 'audit' }, audit.lostLines];
      // An application's own log may have anything by that name.
      return typeof ofLog === 'number' ? [[{ log: 'log' }, ofLog], ofAudit] : [ofAudit];
    },
  );
  add.gauge('log_available', 'Whether the event log can be reached.', () =>
    Number(vitals.eventLog.isAvailable),
  );
}

export function addEventLoopMetrics(add: MetricSet, eventLoop: EventLoopDelay): void {
  const ofLate = 'of the last 15 to 30 s.';
  add.gauge(
    'event_loop_delay_p50_seconds',
    `Median delay of the event loop ${ofLate}`,
    () => eventLoop.read().p50,
  );
  add.gauge(
    'event_loop_delay_p99_seconds',
    `99th percentile of the same ${ofLate}`,
    () => eventLoop.read().p99,
  );
  add.gauge(
    'event_loop_delay_max_seconds',
    `Longest delay of the event loop ${ofLate}`,
    () => eventLoop.read().max,
  );
}

export function addProcessMetrics({ registry }: MetricSet): void {
  const all = new Registry();
  collectDefaultMetrics({ register: all, eventLoopMonitoringPrecision: HARDLY_EVER_MS });
  for (const name of PROCESS_METRICS) {
    const metric = all.getSingleMetric(name);
    if (metric !== undefined) registry.registerMetric(metric);
  }
}
