import type { Bench } from '../bench.js';
import { eventJson } from '../event.js';
import type { Figure, Reading, Subject } from '../figure.js';
import { FilePeer } from '../peers/file.js';
import type { Peer, RunningPeer, StreamRequest } from '../peers/peer.js';
import { type Measured, onStage, requestsOf, type Stage } from '../stage.js';

interface Replay {
  /** Each of its clients reads all of it. */
  readonly histories: number;
  readonly clientsEach: number;
  readonly eventsEach: number;
  /** Clients that have not got all of it yet at a time. */
  readonly atOnce: number;
}

const UNITS = { 'events/s': 'events/s', 'µs of CPU a client': 'µs' };
/** Events in one publish, where the server takes several. */
const BATCH = 100;
const AT_ONCE = 128;
/** Replayed before anything is measured, so that the code is warm. */
const WARM_EVENTS = 1_000_000;

/** Fills the history of a workspace. */
async function fill(
  { server, load }: Stage,
  workspace: string,
  events: number,
  batch: number,
): Promise<void> {
  await server.beginHistory(workspace);
  const batched = Array.from({ length: batch }, () => eventJson());
  await load.setPublishes([server.publishRequest({ workspace }, batched)]);
  await load.publishCount(events / batch, 1);
}

async function replay(
  { server, load, measure }: Stage,
  workspaces: readonly string[],
  { clientsEach, eventsEach, atOnce }: Replay,
): Promise<Measured> {
  const streams = workspaces.flatMap((workspace): StreamRequest[] =>
    Array.from({ length: clientsEach }, (_, at) => ({
      workspace,
      subject: `subscriber-${at}`,
      replays: true,
    })),
  );
  await load.setStreams(await requestsOf(server, streams));
  const measured = await measure(() => load.replay(streams.length, eventsEach, atOnce));
  await load.dropStreams();
  return measured;
}

/** The histories that are measured have not been read before. */
function subjectOf(bench: Bench, peer: Peer, name: string, what: Replay, batch = BATCH): Subject {
  const { histories, clientsEach, eventsEach } = what;
  const clients = histories * clientsEach;
  const workspaces = Array.from({ length: histories }, (_, at) => `history-${at}`);
  const warm = workspaces.map((workspace) => `warm-${workspace}`);
  const warmEvents = bench.scaled(WARM_EVENTS);
  return {
    name,
    measure: () =>
      onStage<RunningPeer, Reading>(bench, peer, async (stage) => {
        for (const workspace of [...warm, ...workspaces]) {
          await fill(stage, workspace, eventsEach, batch);
        }
        for (let events = 0; events < warmEvents; events += clients * eventsEach) {
          await replay(stage, warm, what);
        }
        const { deliveries, seconds, cpuSeconds } = await replay(stage, workspaces, what);
        return {
          'events/s': deliveries / seconds,
          'µs of CPU a client': (cpuSeconds / clients) * 1e6,
        };
      }),
  };
}

/** Clients that lost their node, and come back all at once. */
export function returningFigure(bench: Bench): Figure {
  const what: Replay = {
    histories: 1,
    clientsEach: bench.scaled(5_000),
    eventsEach: 100,
    atOnce: AT_ONCE,
  };
  const nchan = bench.nchan(what.eventsEach);
  return {
    name: 'replay-returning',
    title: '5,000 clients that return and replay 100 events each',
    method: `${AT_ONCE} at a time; the opening of the stream is a part of it. Nchan lets everybody in.`,
    units: UNITS,
    subjects: [
      ...[bench.sluice(), ...bench.sluiceOnNode24()].map((peer) =>
        subjectOf(bench, peer, peer.name, what),
      ),
      subjectOf(bench, nchan, nchan.name, what, 1),
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

/** A client that missed very much. */
export function longReplayFigure(bench: Bench): Figure {
  const what: Replay = {
    histories: 5,
    clientsEach: 1,
    eventsEach: bench.scaled(100_000),
    atOnce: 1,
  };
  // By default as many are kept; the one before the first of them is where the client comes back.
  const settings = { RETENTION_EVENTS: String(2 * what.eventsEach) };
  const file = new FilePeer(bench.options.folder, what.eventsEach);
  return {
    name: 'replay-long',
    title: 'Replay of 100,000 events to one client',
    method: `${what.histories} times, each of another workspace, one after the other. Beside it a server of Node, with the same flags, that reads a file with the same bytes by a stream and pipes it into the socket. Nchan keeps its history in memory.`,
    units: UNITS,
    subjects: [
      ...[bench.sluice(settings), ...bench.sluiceOnNode24(settings)].map((peer) =>
        subjectOf(bench, peer, peer.name, what),
      ),
      subjectOf(bench, file, file.name, what),
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
  const together: Replay = {
    histories: 1,
    clientsEach: bench.scaled(1_000),
    eventsEach,
    atOnce: AT_ONCE,
  };
  const alone: Replay = { histories: 50, clientsEach: 1, eventsEach, atOnce: 1 };
  const ofTogether = subjectOf(bench, bench.sluice(), 'Sluice, 1,000 clients at once', together);
  const ofOne = subjectOf(bench, bench.sluice(), 'Sluice, one client', alone);
  return {
    name: 'replay-shared',
    title: 'Replay of the same 1,000 events: 1,000 clients at once, and one alone',
    method: `${AT_ONCE} at a time. "One client" is the mean of ${alone.histories}, one after the other, each in a workspace of its own.`,
    units: { 'µs of CPU a client': 'µs', 'events/s': 'events/s' },
    subjects: [ofTogether, ofOne],
    targets: [
      {
        says: 'processor time for a client at once to that for one alone',
        value: (of) =>
          of(ofTogether.name, 'µs of CPU a client') / of(ofOne.name, 'µs of CPU a client'),
        bound: { below: 0.05 },
      },
    ],
  };
}
