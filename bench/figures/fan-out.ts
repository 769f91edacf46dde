import type { Bench } from '../bench.js';
import { eventJson } from '../event.js';
import type { Figure, Reading, Subject, Target } from '../figure.js';
import type { Peer, Place, RunningPeer, StreamRequest } from '../peers/peer.js';
import { onStage, streamsOf } from '../stage.js';

/** Who listens, and where events are published in turn. */
interface Audience {
  readonly streams: readonly StreamRequest[];
  readonly places: readonly Place[];
  /** Streams that get one event. */
  readonly deliveries: number;
}

const ONE: readonly Place[] = [{ workspace: 'bench' }];
const UNITS = {
  'deliveries/s': 'deliveries/s',
  'µs of CPU a delivery': 'µs',
  'µs of CPU an event': 'µs',
};

async function fanOut(
  bench: Bench,
  peer: Peer,
  audience: Audience,
  outstanding: number,
): Promise<Reading> {
  const { streams, places, deliveries } = audience;
  return onStage(bench, peer, async ({ server, load, open, measure }) => {
    await open(streams);
    await load.setPublishes(requestsTo(server, places));
    const { seconds } = bench;
    await load.publishOutstanding(outstanding, { deliveries, seconds });
    const measured = await measure(() =>
      load.publishOutstanding(outstanding, { deliveries, seconds }),
    );
    return {
      'deliveries/s': measured.deliveries / measured.seconds,
      'µs of CPU a delivery': (measured.cpuSeconds / measured.allDeliveries) * 1e6,
      'µs of CPU an event': (measured.cpuSeconds / (measured.allDeliveries / deliveries)) * 1e6,
    };
  });
}

function requestsTo(server: RunningPeer, places: readonly Place[]): string[] {
  return places.map((place) => server.publishRequest(place, [eventJson(place.topic)]));
}

function oneWorkspace(bench: Bench, count: number): Audience {
  const streams = streamsOf('bench', bench.scaled(count));
  return { streams, places: ONE, deliveries: streams.length };
}

function subjectsOf(
  bench: Bench,
  peers: readonly Peer[],
  audience: Audience,
  outstanding: number,
): Subject[] {
  return peers.map((peer) => ({
    name: peer.name,
    measure: () => fanOut(bench, peer, audience, outstanding),
  }));
}

function fastPeers(bench: Bench): Peer[] {
  return [
    bench.sluice(),
    ...bench.sluiceOnNode24(),
    bench.nchan(),
    bench.singleCeiling(),
    ...bench.joinedCeilings(),
  ];
}

/** Those that write event by event in JavaScript need minutes for what the others do in seconds: they come along once. */
function allPeers(bench: Bench): Peer[] {
  return [...fastPeers(bench), bench.betterSse(), bench.expressLoop()];
}

function ratioTo(other: string, atLeast: number): Target {
  return {
    says: `deliveries/s of Sluice to those of ${other}`,
    value: (of) => of('Sluice', 'deliveries/s') / of(other, 'deliveries/s'),
    bound: { atLeast },
  };
}

/** One workspace, everybody gets everything. */
export function fanOutFigures(bench: Bench): Figure[] {
  const figure = (
    peers: readonly Peer[],
    count: number,
    outstanding: number,
    targets: readonly Target[],
  ): Figure => ({
    name: `fan-out-${count}-${outstanding}`,
    title: `Fan-out: ${count.toLocaleString('en')} subscribers of one workspace, ${outstanding} events outstanding`,
    method: `${outstanding} publishers, each with one request at a time, which is done when it is answered and all subscribers have its event.`,
    units: UNITS,
    subjects: subjectsOf(bench, peers, oneWorkspace(bench, count), outstanding),
    targets,
  });
  return [
    figure(fastPeers(bench), 10_000, 16, [
      ratioTo('Nchan', 20),
      ratioTo('ceiling, joined writes', 0.9),
    ]),
    figure(allPeers(bench), 1_000, 16, [ratioTo('Nchan', 15)]),
    figure(fastPeers(bench), 1_000, 2, [ratioTo('Nchan', 1.5)]),
  ];
}

/** Each stream has a topic of its own: what the others cost an event that does not concern them. */
export function topicFigure(bench: Bench): Figure {
  const audience = (count: number): Audience => {
    const places = Array.from({ length: bench.scaled(count) }, (_, at) => ({
      workspace: 'bench',
      topic: `topic-${at}`,
    }));
    const streams = places.map((place, at) => ({ ...place, subject: `subscriber-${at}` }));
    return { streams, places, deliveries: 1 };
  };
  const subject = (peer: Peer, count: number): Subject => ({
    name: `${peer.name}, ${count.toLocaleString('en')} topics`,
    measure: () => fanOut(bench, peer, audience(count), 64),
  });
  return {
    name: 'topics',
    title: 'A topic of its own for each of 10,000 subscribers of one workspace',
    method: '64 publishers; each event concerns one stream. 100 streams beside 10,000.',
    units: { 'µs of CPU an event': 'µs', 'deliveries/s': 'deliveries/s' },
    subjects: [
      subject(bench.sluice(), 100),
      subject(bench.sluice(), 10_000),
      subject(bench.nchan(), 10_000),
    ],
    targets: [
      {
        says: 'processor time for an event with 10,000 streams to that with 100',
        value: (of) =>
          of('Sluice, 10,000 topics', 'µs of CPU an event') /
          of('Sluice, 100 topics', 'µs of CPU an event'),
        bound: { below: 1.2 },
      },
    ],
  };
}

/** Many small workspaces, published to as fast as it goes. */
export function workspacesFigure(bench: Bench): Figure {
  const places = Array.from({ length: bench.scaled(1_000) }, (_, at) => ({
    workspace: `bench-${at}`,
  }));
  const streams = places.flatMap(({ workspace }) => streamsOf(workspace, 10));
  const audience = { streams, places, deliveries: 10 };
  return {
    name: 'workspaces',
    title: 'Fan-out: 1,000 workspaces with 10 subscribers each, saturated',
    method: '256 publishers, to the workspaces in turn.',
    units: UNITS,
    subjects: subjectsOf(bench, fastPeers(bench), audience, 256),
    targets: [ratioTo('Nchan', 1.05), ratioTo('ceiling, single writes', 0.6)],
  };
}

/** What a delivery costs as streams grow. */
export function growthFigure(bench: Bench): Figure {
  const counts = [1_000, 6_000, 19_000];
  const name = (count: number) => `Sluice, ${count.toLocaleString('en')} subscribers`;
  return {
    name: 'growth',
    title: 'Growth: 1,000 to 19,000 subscribers of one workspace',
    method: '16 publishers, as in the first figure.',
    units: { 'µs of CPU a delivery': 'µs', 'deliveries/s': 'deliveries/s' },
    subjects: counts.map((count) => ({
      name: name(count),
      measure: () => fanOut(bench, bench.sluice(), oneWorkspace(bench, count), 16),
    })),
    targets: [
      {
        says: 'processor time for a delivery with 19,000 subscribers to that with 1,000',
        value: (of) =>
          of(name(19_000), 'µs of CPU a delivery') / of(name(1_000), 'µs of CPU a delivery'),
        bound: { below: 1.2 },
      },
    ],
  };
}

/** Patterns that an event is compared with. */
export function patternsFigure(bench: Bench): Figure {
  const PATTERNS_EACH = 10;
  const MATCHING = 10;
  const audience = (patterns: number): Audience => {
    const count = patterns / PATTERNS_EACH;
    const streams = Array.from({ length: count }, (_, at) => ({
      workspace: 'bench',
      subject: `subscriber-${at}`,
      // Ten streams have a pattern that the event matches; what else they ask for, nobody else does.
      topic: [
        ...(at < MATCHING ? ['hall-1.*'] : []),
        ...Array.from({ length: PATTERNS_EACH - (at < MATCHING ? 1 : 0) }, (_, of) =>
          of % 2 === 0 ? `room-${at}-${of}.*` : `*.seat-${at}-${of}`,
        ),
      ].join(','),
    }));
    const places = [{ workspace: 'bench', topic: 'hall-1.door' }];
    return { streams, places, deliveries: MATCHING };
  };
  const name = (patterns: number) => `Sluice, ${patterns.toLocaleString('en')} patterns`;
  const counts = bench.options.isQuick ? [100, 1_000, 10_000] : [100, 10_000, 100_000];
  const most = counts.at(-1) as number;
  return {
    name: 'patterns',
    title: 'Topic patterns in one workspace, an event that matches ten streams',
    method:
      'Each stream asks for ten patterns of its own, half of them with the star in front. 16 publishers. What matching costs is the difference to 100 patterns.',
    units: { 'µs of CPU an event': 'µs' },
    subjects: counts.map((patterns) => ({
      name: name(patterns),
      measure: () => fanOut(bench, bench.sluice(), audience(patterns), 16),
    })),
    targets: [
      {
        says: 'µs that an event costs more than with 100 patterns',
        value: (of) => of(name(most), 'µs of CPU an event') - of(name(100), 'µs of CPU an event'),
        bound: { below: 20 },
      },
    ],
  };
}
