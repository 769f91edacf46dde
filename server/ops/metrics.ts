import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { HubStats } from '../hub/tally.js';
import type { LogStats } from '../log/event-log.js';
import type { EventLoopDelay } from './event-loop-delay.js';
import { obstaclesOf, type Phase, type Vitals } from './vitals.js';

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

export interface MetricsOptions {
  readonly vitals: Vitals;
  readonly eventLoop: EventLoopDelay;
  readonly phase: () => Phase;
}

/** What the service counts and holds, for Prometheus. No label holds a name that callers choose. */
export class Metrics {
  readonly contentType: string;
  private readonly registry = new Registry();
  private readonly vitals: Vitals;
  /** As the scrape that is under way found them. */
  private hub: HubStats;
  private logStats: LogStats | null = null;
  private collecting: Promise<string> | null = null;

  constructor({ vitals, eventLoop, phase }: MetricsOptions) {
    this.vitals = vitals;
    this.hub = vitals.hub.stats;
    this.contentType = this.registry.contentType;
    this.addState(phase);
    this.addStreams();
    this.addEvents();
    this.addEventLoop(eventLoop);
    this.addProcess();
  }

  /** The text of a scrape; those that come at once share one. */
  text(): Promise<string> {
    this.collecting ??= this.collect().finally(() => {
      this.collecting = null;
    });
    return this.collecting;
  }

  private async collect(): Promise<string> {
    this.hub = this.vitals.hub.stats;
    this.logStats = await this.vitals.eventLog.stats().catch(() => null);
    return this.registry.metrics();
  }

  private addState(phase: () => Phase): void {
    const { vitals } = this;
    const { redis } = vitals;
    this.gauge('ready', 'Whether the node takes streams.', () =>
      obstaclesOf(vitals, phase()).length === 0 ? 1 : 0,
    );
    this.gauge('log_available', 'Whether the event log can be reached.', () =>
      vitals.eventLog.isAvailable ? 1 : 0,
    );
    if (redis === null) return;
    this.gauge('redis_available', 'Whether Redis can be reached.', () =>
      redis.isAvailable ? 1 : 0,
    );
  }

  private addStreams(): void {
    const { refusals } = this.vitals;
    this.gauge('streams', 'Streams that are open.', () => this.hub.streams);
    this.counter('streams_opened_total', 'Streams that were opened.', () => this.hub.opened);
    this.countersBy(
      'streams_ended_total',
      'Streams that ended, by what the service said; "client": the client or the network ended it.',
      () => this.hub.ended,
    );
    this.countersBy(
      'requests_refused_total',
      'Requests that were refused, by their code.',
      () => refusals,
    );
    this.gauge(
      'stream_workspaces',
      'Workspaces that have streams on this node.',
      () => this.hub.workspaces,
    );
    this.gauge(
      'tail_bytes',
      'Newest events in memory, of workspaces that have streams here.',
      () => this.hub.tailBytes,
    );
    this.gauge(
      'history_cache_bytes',
      'Older events in memory, for streams that came back.',
      () => this.hub.historyBytes,
    );
    this.gauge(
      'history_cache_limit_bytes',
      'What the history cache may hold.',
      () => this.hub.maxHistoryBytes,
    );
  }

  private addEvents(): void {
    const { publisher } = this.vitals;
    this.counter(
      'events_published_total',
      'Events that were published through this node.',
      () => publisher.published.events,
    );
    this.counter(
      'events_published_bytes_total',
      'Their size as JSON.',
      () => publisher.published.bytes,
    );
    this.gauge(
      'log_workspaces',
      'Workspaces that have events in the log.',
      () => this.logStats?.workspaces ?? null,
    );
    this.gauge('log_events', 'Events in the log.', () => this.logStats?.events ?? null);
    this.gauge(
      'log_bytes',
      'What the log takes: on disk, or all memory that Redis uses.',
      () => this.logStats?.bytes ?? null,
    );
    this.gauge(
      'log_limit_bytes',
      'What the log may take before publishing is refused.',
      () => this.logStats?.capacity ?? null,
    );
  }

  private addEventLoop(eventLoop: EventLoopDelay): void {
    const ofLate = 'of the last 15 to 30 s.';
    this.gauge('event_loop_delay_p50_seconds', `Median delay of the event loop ${ofLate}`, () => {
      return eventLoop.read().p50;
    });
    this.gauge('event_loop_delay_p99_seconds', `99th percentile of the same ${ofLate}`, () => {
      return eventLoop.read().p99;
    });
    this.gauge('event_loop_delay_max_seconds', `Longest delay of the event loop ${ofLate}`, () => {
      return eventLoop.read().max;
    });
  }

  private addProcess(): void {
    const all = new Registry();
    collectDefaultMetrics({ register: all, eventLoopMonitoringPrecision: HARDLY_EVER_MS });
    for (const name of PROCESS_METRICS) {
      const metric = all.getSingleMetric(name);
      if (metric !== undefined) this.registry.registerMetric(metric);
    }
  }

  /** @param read `null` where it is not known: then nothing is told. */
  private gauge(name: string, help: string, read: () => number | null): void {
    new Gauge({
      name: `sluice_${name}`,
      help,
      registers: [this.registry],
      collect() {
        const value = read();
        if (value === null) this.remove();
        else this.set(value);
      },
    });
  }

  private counter(name: string, help: string, read: () => number): void {
    new Counter({
      name: `sluice_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  private countersBy(name: string, help: string, read: () => ReadonlyMap<string, number>): void {
    new Counter({
      name: `sluice_${name}`,
      help,
      labelNames: ['code'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [code, count] of read()) this.inc({ code }, count);
      },
    });
  }
}
