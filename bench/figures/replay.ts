import type { Bench } from '../bench.js';
import { eventJson } from '../event.js';
import type { Figure, Reading, Subject } from '../figure.js';
import { FilePeer } from '../peers/file.js';
import type { Peer, RunningPeer, StreamRequest } from '../peers/peer.js';
import { type Measured, onStage, requestsOf, type Stage } from '../stage.js';

interface Replay {
  readonly clients: number;
  readonly eventsEach: number;
  /** Events in one publish, where the server takes several. */
  readonly batch: number;
}

const UNITS = { 'events/s': 'events/s', 'µs of CPU a client': 'µs' };
const WORKSPACE = 'bench';

/** Fills the history of a workspace. */
async function fill(stage: Stage, workspace: string, { eventsEach, batch }: Replay): Promise<void> {
  const { server, load } = stage;
  await server.beginHistory(workspace);
  const events = Array.from({ length: batch }, () => eventJson());
  await load.setPublishes([server.publishRequest({ workspace }, events)]);
  await load.publishCount(eventsEach / batch, 1);
}

function returning(clients: number, workspace = WORKSPACE): StreamRequest[] {
  return Array.from({ length: clients }, (_, at) => ({
    workspace,
    subject: `subscriber-${at}`,
    replays: true,
  }));
}

async function replay(
  { server, load, measure }: Stage,
  streams: readonly StreamRequest[],
  eventsEach: number,
): Promise<Measured> {
  await load.setStreams(await requestsOf(server, streams));
  return measure(() => load.replay(streams.length, eventsEach));
}

/** Has streams of other workspaces replayed, until the code is warm. */
async function warmUp(stage: Stage, eventsEach: number): Promise<void> {
  const names = Array.from({ length: 50 }, (_, at) => `warm-${at}`);
  for (const name of names) await fill(stage, name, { clients: 1, eventsEach, batch: 100 });
  const streams = names.flatMap((name) => returning(4, name));
  await replay(stage, streams, eventsEach);
  await stage.load.dropStreams();
}

function readingOf({ deliveries, seconds, cpuSeconds }: Measured, clients: number): Reading {
  return {
    'events/s': deliveries / seconds,
    'µs of CPU a client': (cpuSeconds / clients) * 1e6,
  };
}

function subjectOf(bench: Bench, peer: Peer, what: Replay): Subject {
  return {
    name: peer.name,
    measure: () =>
      onStage<RunningPeer, Reading>(bench, peer, async (stage) => {
        // The code is warm, and the history has not been read before.
        await fill(stage, 'warm', what);
        await fill(stage, WORKSPACE, what);
        await replay(stage, returning(what.clients, 'warm'), what.eventsEach);
        await stage.load.dropStreams();
        const measured = await replay(stage, returning(what.clients), what.eventsEach);
        return readingOf(measured, what.clients);
      }),
  };
}

/** Clients that lost their node, and come back all at once. */
export function returningFigure(bench: Bench): Figure {
  const clients = bench.scaled(5_000);
  const sluice = { clients, eventsEach: 100, batch: 100 };
  const nchan = { ...sluice, batch: 1 };
  return {
    name: 'replay-returning',
    title: '5,000 clients that return and replay 100 events each',
    method: '128 at a time; the opening of the stream is a part of it. Nchan lets everybody in.',
    units: UNITS,
    subjects: [
      ...[bench.sluice(), ...bench.sluiceOnNode24()].map((peer) => subjectOf(bench, peer, sluice)),
      subjectOf(bench, bench.nchan(100), nchan),
    ],
    targets: [
      {
        says: 'events/s of Sluice to those of Nchan',
        value: (of) => of('Sluice', 'events/s') / of('Nchan', 'events/s'),
        bound: { atLeast: 4 },
      },
    ],
  };
}

/** One client that missed very much. */
export function longReplayFigure(bench: Bench): Figure {
  const eventsEach = bench.scaled(100_000);
  const what = { clients: 1, eventsEach, batch: 100 };
  // By default as many are kept; the one before the first of them is where the client comes back.
  const settings = { RETENTION_EVENTS: String(2 * eventsEach) };
  const file = new FilePeer(bench.options.folder, eventsEach);
  return {
    name: 'replay-long',
    title: 'Replay of 100,000 events to one client',
    method:
      'Beside it a server of Node that reads a file with the same bytes by a stream and pipes it into the socket. Nchan keeps its history in memory.',
    units: UNITS,
    subjects: [
      ...[bench.sluice(settings), ...bench.sluiceOnNode24(settings)].map((peer) =>
        subjectOf(bench, peer, what),
      ),
      subjectOf(bench, file, { ...what, batch: 1 }),
    ],
    targets: [
      {
        says: 'events/s of Sluice to those from the file',
        value: (of) => of('Sluice', 'events/s') / of(file.name, 'events/s'),
        bound: { atLeast: 0.5 },
      },
    ],
  };
}

/** The same history for many, and for one alone. */
export function sharedReplayFigure(bench: Bench): Figure {
  const eventsEach = 1_000;
  const clients = bench.scaled(1_000);
  const LONE = 20;
  const together: Subject = {
    name: 'Sluice, 1,000 clients at once',
    measure: async () =>
      onStage<RunningPeer, Reading>(bench, bench.sluice(), async (stage) => {
        await warmUp(stage, eventsEach);
        await fill(stage, WORKSPACE, { clients, eventsEach, batch: 100 });
        return readingOf(await replay(stage, returning(clients), eventsEach), clients);
      }),
  };
  const alone: Subject = {
    name: 'Sluice, one client',
    measure: async () =>
      onStage<RunningPeer, Reading>(bench, bench.sluice(), async (stage) => {
        await warmUp(stage, eventsEach);
        // A workspace for each, so that nobody finds what another has read.
        const names = Array.from({ length: LONE }, (_, at) => `alone-${at}`);
        for (const name of names) await fill(stage, name, { clients: 1, eventsEach, batch: 100 });
        const streams = names.flatMap((name) => returning(1, name));
        return readingOf(await replay(stage, streams, eventsEach), LONE);
      }),
  };
  return {
    name: 'replay-shared',
    title: 'Replay of the same 1,000 events: 1,000 clients at once, and one alone',
    method: `128 at a time. "One client" is the mean of ${LONE}, each in a workspace of its own.`,
    units: { 'µs of CPU a client': 'µs', 'events/s': 'events/s' },
    subjects: [together, alone],
    targets: [
      {
        says: 'processor time for a client at once to that for one alone',
        value: (of) =>
          of(together.name, 'µs of CPU a client') / of(alone.name, 'µs of CPU a client'),
        bound: { below: 0.05 },
      },
    ],
  };
}
