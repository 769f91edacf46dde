import type { Bench } from '../bench.js';
import { eventJson } from '../event.js';
import type { Figure, Reading } from '../figure.js';
import type { Peer } from '../peers/peer.js';
import { onStage } from '../stage.js';

const UNITS = { 'events/s': 'events/s', 'µs of CPU an event': 'µs' };

async function publishing(
  bench: Bench,
  peer: Peer,
  { batch, outstanding }: { batch: number; outstanding: number },
): Promise<Reading> {
  return onStage(bench, peer, async ({ server, load, measure }) => {
    const events = Array.from({ length: batch }, () => eventJson());
    await load.setPublishes([server.publishRequest({ workspace: 'bench' }, events)]);
    const { seconds } = bench;
    await load.publishOutstanding(outstanding, { deliveries: 0, seconds });
    const measured = await measure(() =>
      load.publishOutstanding(outstanding, { deliveries: 0, seconds }),
    );
    return {
      'events/s': measured.events / measured.seconds,
      'µs of CPU an event': (measured.cpuSeconds / measured.events) * 1e6,
    };
  });
}

/** Durable publishes through HTTP. */
export function publishingFigures(bench: Bench): Figure[] {
  const sluices = [bench.sluice(), ...bench.sluiceOnNode24()];
  const figure = (
    name: string,
    title: string,
    how: { batch: number; outstanding: number },
    peers: readonly Peer[],
    atLeast: number,
  ): Figure => ({
    name,
    title,
    method: `${how.outstanding} publishers; each request is answered when the disk has its events. Nobody listens.`,
    units: UNITS,
    subjects: peers.map((peer) => ({
      name: peer.name,
      measure: () => publishing(bench, peer, how),
    })),
    targets: [{ says: 'events/s', value: (of) => of('Sluice', 'events/s'), bound: { atLeast } }],
  });
  return [
    figure(
      'publish-batches',
      'Durable publishes through HTTP, 100 events in each',
      { batch: 100, outstanding: 16 },
      sluices,
      100_000,
    ),
    figure(
      'publish-single',
      'Publishes through HTTP of one event each, 64 at a time',
      { batch: 1, outstanding: 64 },
      [...sluices, bench.nchan(), bench.expressLoop()],
      10_000,
    ),
  ];
}
