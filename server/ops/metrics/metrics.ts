import type { EventLoopDelay } from '../event-loop-delay.js';
import type { Phase, Vitals } from '../vitals.js';
import { addEventMetrics } from './event-metrics.js';
import { addGateMetrics } from './gate-metrics.js';
import { MetricSet } from './metric-set.js';
import { addEventLoopMetrics, addNodeMetrics, addProcessMetrics } from './node-metrics.js';
import { addRedisMetrics } from './redis-metrics.js';
import { type Snapshot, takeSnapshot } from './snapshot.js';
import { addStreamMetrics } from './stream-metrics.js';

export interface MetricsOptions {
  readonly vitals: Vitals;
  readonly phase: () => Phase;
  /** Of a process that is the service's own; `null` where an application tells of itself. */
  readonly eventLoop: EventLoopDelay | null;
}

/** What the service counts and holds, for Prometheus. No label holds a name that callers choose. */
export class Metrics {
  readonly contentType: string;
  private readonly set = new MetricSet();
  private readonly vitals: Vitals;
  private snapshot: Snapshot | null = null;
  private collecting: Promise<string> | null = null;

  constructor({ vitals, phase, eventLoop }: MetricsOptions) {
    const now = () => {
      if (this.snapshot === null) throw new Error('there is no scrape under way');
      return this.snapshot;
    };
    this.contentType = this.set.registry.contentType;
    this.vitals = vitals;
    addNodeMetrics(this.set, vitals, phase);
    addStreamMetrics(this.set, vitals, now);
    addGateMetrics(this.set, vitals, now);
    addEventMetrics(this.set, now);
    addRedisMetrics(this.set, vitals, now);
    if (eventLoop === null) return;
    addEventLoopMetrics(this.set, eventLoop);
    addProcessMetrics(this.set);
  }

  /** The text of a scrape; those that come at once share one. */
  text(): Promise<string> {
    this.collecting ??= this.collect().finally(() => {
      this.collecting = null;
    });
    return this.collecting;
  }

  private async collect(): Promise<string> {
    this.snapshot = await takeSnapshot(this.vitals);
    return this.set.registry.metrics();
  }
}
