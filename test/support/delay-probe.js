// Loaded into a service by `--import`: says on SIGUSR2, in one line, how late the event loop was since it was asked before.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
histogram.enable();

// A sample is the time between two timers, which is the resolution where nothing is late.
const lateMs = (nanoseconds) => Math.max(0, Math.round(nanoseconds / 1e6 - RESOLUTION_MS));

process.on('SIGUSR2', () => {
  const [p50, p99] = [50, 99].map((share) => lateMs(histogram.percentile(share)));
  const { user, system } = process.cpuUsage();
  const delay = { p50, p99, max: lateMs(histogram.max), cpuMs: (user + system) / 1_000 };
  process.stdout.write(`event-loop delay ${JSON.stringify(delay)}\n`);
  histogram.reset();
});
