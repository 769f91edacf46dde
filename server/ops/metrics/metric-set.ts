import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import type { HistogramReading } from '../../histogram.js';

type Labels = Readonly<Record<string, string>>;

/** A value with what tells it from the others of its metric. */
export type Labelled<Value> = readonly [labels: Labels, value: Value];

interface Named {
  /** Without the prefix that all have. */
  readonly name: string;
  readonly help: string;
}

/** What prom-client's registry asks of a metric. */
interface MetricAnswer {
  readonly name: string;
  readonly help: string;
  readonly type: 'histogram';
  readonly values: readonly { labels: Labels; value: number; metricName: string }[];
}

/**
 * Metrics whose values are read when they are asked for: the parts of the service count in plain numbers, and know nothing
 * of who looks.
 */
export class MetricSet {
  readonly registry = new Registry();

  /** @param read `null` where it is not known: then nothing is told. */
  gauge(name: string, help: string, read: () => number | null): void {
    this.gauges({ name, help }, [], () => {
      const value = read();
      return value === null ? [] : [[{}, value]];
    });
  }

  gauges(
    { name, help }: Named,
    labelNames: readonly string[],
    read: () => Iterable<Labelled<number>>,
  ): void {
    new Gauge({
      ...nameOf(name, help, labelNames),
      registers: [this.registry],
      collect() {
        if (labelNames.length === 0) this.remove();
        else this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  counter(name: string, help: string, read: () => number): void {
    this.counters({ name, help }, [], () => [[{}, read()]]);
  }

  counters(
    { name, help }: Named,
    labelNames: readonly string[],
    read: () => Iterable<Labelled<number>>,
  ): void {
    new Counter({
      ...nameOf(name, help, labelNames),
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  histogram(name: string, help: string, read: () => HistogramReading): void {
    this.histograms({ name, help }, () => [[{}, read()]]);
  }

  /** prom-client's own would have to be told of each observation; here what was counted is read. */
  histograms({ name, help }: Named, read: () => Iterable<Labelled<HistogramReading>>): void {
    const fullName = `sluice_${name}`;
    const metric = {
      name: fullName,
      get: async (): Promise<MetricAnswer> => ({
        name: fullName,
        help,
        type: 'histogram',
        values: [...read()].flatMap(([labels, reading]) => seriesOf(fullName, labels, reading)),
      }),
    };
    this.registry.registerMetric(metric as unknown as Metric);
  }
}

function nameOf(name: string, help: string, labelNames: readonly string[]) {
  return { name: `sluice_${name}`, help, labelNames: [...labelNames] };
}

function seriesOf(
  name: string,
  labels: Labels,
  { buckets, count, sum }: HistogramReading,
): MetricAnswer['values'] {
  const bucket = (le: string, value: number) => ({
    labels: { le, ...labels },
    value,
    metricName: `${name}_bucket`,
  });
  return [
    ...buckets.map((each) => bucket(String(each.bound), each.count)),
    bucket('+Inf', count),
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}
