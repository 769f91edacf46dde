import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.js';
import { eventJson } from '../event.js';
import type { Figure, Reading, Subject, Target } from '../figure.js';
import type { Peer, Place, StreamRequest } from '../peers/peer.js';
import { RunningSluice } from '../peers/sluice.js';
import { onStage, streamsOf } from '../stage.js';

interface Pace {
  readonly streams: readonly StreamRequest[];
  readonly places: readonly Place[];
  readonly deliveries: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
  /** Whether the stalls of the event loop are told too, as Sluice alone can. */
  readonly tellsStalls?: boolean;
}

const UNITS = { p50: 'ms', p99: 'ms', 'longest stall': 'ms' };
/** What the service tells of its event loop is of the last 15 to 30 s: by then nothing but the steady rate is in it. */
const STALL_SECONDS = 30;

async function latencyOf(bench: Bench, peer: Peer, pace: Pace): Promise<Reading> {
  const { streams, places, deliveries, eventsPerSecond, seconds, tellsStalls } = pace;
  return onStage(bench, peer, async ({ server, load, open }) => {
    await open(streams);
    await load.setPublishes(
      places.map((place) => server.publishRequest(place, [eventJson(place.topic)])),
    );
    // A steady rate would leave the code cold for minutes.
    await load.publishOutstanding(16, { deliveries, seconds: bench.seconds });
    const { p50Ms, p99Ms } = await load.publishPaced(eventsPerSecond, { deliveries, seconds });
    const latency = { p50: p50Ms, p99: p99Ms };
    if (tellsStalls !== true || !(server instanceof RunningSluice)) return latency;
    return { ...latency, 'longest stall': await server.longestStallMs() };
  });
}

function subjectsOf(bench: Bench, peers: readonly Peer[], pace: Pace): Subject[] {
  return peers.map((peer) => ({ name: peer.name, measure: () => latencyOf(bench, peer, pace) }));
}

function notAboveNchan(value: string): Target {
  return {
    says: `${value} of Sluice to that of Nchan`,
    value: (of) => of('Sluice', value) / of('Nchan', value),
    bound: { below: 1.05 },
  };
}

/** From the time at which an event was due to its arrival. */
export function latencyFigures(bench: Bench): Figure[] {
  const one: readonly Place[] = [{ workspace: 'bench' }];
  const [short, long] = bench.options.isQuick ? [1, 1] : [8, STALL_SECONDS];
  const oneWorkspace = (count: number, eventsPerSecond: number): Pace => {
    const streams = streamsOf('bench', bench.scaled(count));
    return { streams, places: one, deliveries: streams.length, eventsPerSecond, seconds: short };
  };
  const places = Array.from({ length: bench.scaled(1_000) }, (_, at) => ({
    workspace: `bench-${at}`,
  }));
  const manyWorkspaces: Pace = {
    streams: places.flatMap(({ workspace }) => streamsOf(workspace, 10)),
    places,
    deliveries: 10,
    eventsPerSecond: 300,
    seconds: short,
  };
  const figure = (
    name: string,
    title: string,
    pace: Pace,
    targets: readonly Target[],
    withNchan = true,
  ): Figure => ({
    name,
    title: `Latency: ${title}`,
    method:
      'Published at a steady rate, whatever comes back; latency counts from when an event was due.',
    units: UNITS,
    subjects: subjectsOf(
      bench,
      [bench.sluice(), ...(withNchan ? [bench.nchan()] : bench.sluiceOnNode24())],
      pace,
    ),
    targets,
  });
  const parity = [notAboveNchan('p50'), notAboveNchan('p99')];
  const below = (value: string, bound: number): Target => ({
    says: `${value} in ms`,
    value: (of) => of('Sluice', value),
    bound: { below: bound },
  });
  return [
    figure('latency-1000', '1,000 subscribers, 100 events/s', oneWorkspace(1_000, 100), parity),
    figure('latency-10000', '10,000 subscribers, 5 events/s', oneWorkspace(10_000, 5), parity),
    figure('latency-workspaces', '1,000 workspaces, 3,000 deliveries/s', manyWorkspaces, parity),
    figure(
      'latency-load',
      '10,000 subscribers, 50 events/s',
      { ...oneWorkspace(10_000, 50), seconds: long, tellsStalls: true },
      [below('p99', 100), below('longest stall', 10)],
      false,
    ),
  ];
}

/** One event at a time to one subscriber: what durability costs beside the disk. */
export function durableLatencyFigure(bench: Bench): Figure {
  const oneByOne = async (peer: Peer): Promise<Reading> =>
    onStage(bench, peer, async ({ server, load, open }) => {
      await open(streamsOf('bench', 1));
      await load.setPublishes([server.publishRequest({ workspace: 'bench' }, [eventJson()])]);
      const { seconds } = bench;
      await load.publishOutstanding(16, { deliveries: 1, seconds });
      const { p50Ms, p99Ms } = await load.publishOutstanding(1, { deliveries: 1, seconds });
      return { p50: p50Ms, p99: p99Ms };
    });
  const subjects = [bench.sluice(), ...bench.sluiceOnNode24(), bench.nchan()].map((peer) => ({
    name: peer.name,
    measure: () => oneByOne(peer),
  }));
  return {
    name: 'latency-durable',
    title: 'Latency: one subscriber, one event at a time',
    method:
      "The disk's own fdatasync, of 4 KB appended to a file in the same folder, beside it. Nchan writes nothing to the disk.",
    units: { p50: 'ms', p99: 'ms' },
    subjects: [
      ...subjects,
      { name: 'fdatasync', measure: async () => syncTimes(bench.options.folder) },
    ],
    targets: [
      {
        says: 'p50 beyond that of fdatasync, in ms',
        value: (of) => of('Sluice', 'p50') - of('fdatasync', 'p50'),
        bound: { below: 1 },
      },
    ],
  };
}

function syncTimes(folder: string): Reading {
  const file = openSync(join(folder, 'synced'), 'w');
  const page = Buffer.alloc(4_096, 1);
  const times = Array.from({ length: 500 }, () => {
    const startedAt = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    return performance.now() - startedAt;
  }).sort((a, b) => a - b);
  closeSync(file);
  return { p50: times[250] as number, p99: times[495] as number };
}
