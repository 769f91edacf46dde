import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import type { Figure, Reading, Subject } from '../figure.js';
import type { Peer } from '../peers/peer.js';
import { onStage, streamsOf } from '../stage.js';

/** As many as a process with 20,000 descriptors can hold. */
const COUNT = 19_000;
/** After these the process has its size: what it needs for itself is no stream's. */
const FIRST = 1_000;
/** V8 looks through the whole heap, and gives back what is free, when there has been nothing to do for 35 to 50 s. */
const SETTLING_MS = 70_000;

async function memoryOf(bench: Bench, peer: Peer, settlingMs: number): Promise<Reading> {
  const streams = streamsOf('bench', bench.scaled(COUNT));
  const first = streams.splice(0, bench.scaled(FIRST));
  return onStage(bench, peer, async ({ server, open }) => {
    await open(first);
    await pause(settlingMs);
    const before = { resident: server.residentKb(), kernel: kernelKb() };
    await open(streams);
    const grownAtOnce = server.residentKb() - before.resident;
    await pause(settlingMs);
    const grown = server.residentKb() - before.resident;
    return {
      'KB resident': grown / streams.length,
      'KB at once': grownAtOnce / streams.length,
      'KB of the kernel': (kernelKb() - before.kernel) / streams.length,
      'MB before': before.resident / 1_024,
    };
  });
}

function settlingOf({ options }: Bench): number {
  return options.isQuick ? 1_000 : SETTLING_MS;
}

/** What the kernel holds in its slabs and for sockets, of both ends, since both are on this machine. */
function kernelKb(): number {
  const [, slab] = /^Slab: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Number(slab);
}

export function memoryFigure(bench: Bench): Figure {
  const settlingMs = settlingOf(bench);
  const subject = (peer: Peer, ms: number): Subject => ({
    name: peer.name,
    measure: () => memoryOf(bench, peer, ms),
  });
  return {
    name: 'memory',
    title: 'Memory of an idle stream',
    method: `From ${FIRST.toLocaleString('en')} streams to ${COUNT.toLocaleString('en')}, those of Sluice with a token each. Growth of the resident memory, ${settlingMs / 1_000} s after the last was opened, and at once, with what the openings have left; the kernel's memory is that of both ends. "Before" is the process as long after the first thousand. Nchan has no collector to wait for.`,
    units: { 'KB resident': 'KB', 'KB at once': 'KB', 'KB of the kernel': 'KB', 'MB before': 'MB' },
    subjects: [
      ...[bench.sluice(), ...bench.sluiceOnNode24()].map((peer) => subject(peer, settlingMs)),
      subject(bench.nchan(), 1_000),
    ],
    targets: [
      {
        says: 'resident memory of Sluice to that of Nchan',
        value: (of) => of('Sluice', 'KB resident') / of('Nchan', 'KB resident'),
        bound: { below: 0.5 },
      },
    ],
  };
}

export function heartbeatFigure(bench: Bench): Figure {
  const streams = streamsOf('bench', bench.scaled(COUNT));
  const settlingMs = settlingOf(bench);
  // Two of the default intervals: each stream gets two heartbeats.
  const windowSeconds = bench.options.isQuick ? 2 : 30;
  const subject = (peer: Peer): Subject => ({
    name: peer.name,
    measure: () =>
      onStage(bench, peer, async ({ load, open, measure }) => {
        await open(streams);
        await pause(settlingMs);
        const { cpuSeconds, seconds } = await measure(() => load.listen(windowSeconds));
        return { '% of a core': (cpuSeconds / seconds) * 100 };
      }),
  });
  return {
    name: 'heartbeats',
    title: 'Processor time of idle streams',
    method: `${COUNT.toLocaleString('en')} streams for ${windowSeconds} s, with the default interval of heartbeats, ${settlingMs / 1_000} s after the last was opened.`,
    units: { '% of a core': '%' },
    subjects: [subject(bench.sluice())],
    targets: [
      {
        says: '% of a core',
        value: (of) => of('Sluice', '% of a core'),
        bound: { below: 2 },
      },
    ],
  };
}
