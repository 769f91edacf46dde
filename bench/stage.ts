import { type Bench, LOAD_CORE } from './bench.js';
import { eventJson } from './event.js';
import { Load, type LoadResult } from './load.js';
import type { RunningPeer, StreamRequest } from './peers/peer.js';

/** What is published before anything is measured, where nobody listens. */
const WARM_REQUESTS = 10_000;

/** What something took of the server. */
export interface Measured extends LoadResult {
  /** Seconds of processor time. */
  readonly cpuSeconds: number;
}

/** One server under one load. */
export interface Stage<Running extends RunningPeer = RunningPeer> {
  readonly server: Running;
  readonly load: Load;
  /** Opens streams, with so many on their way at a time. */
  open(streams: readonly StreamRequest[]): Promise<Measured>;
  /** Has something done, and says what it took of the server. */
  measure(work: () => Promise<LoadResult>): Promise<Measured>;
}

/** Starts a server and a load for it, and ends both when `play` has ended. */
export async function onStage<Running extends RunningPeer, Outcome>(
  bench: Bench,
  peer: { start(): Promise<Running> },
  play: (stage: Stage<Running>) => Promise<Outcome>,
): Promise<Outcome> {
  const { programs, folder } = bench.options;
  await using server = await peer.start();
  await using load = new Load(programs.load, folder, [server.port], LOAD_CORE);
  await warmUp(bench, server, load);
  const measure = async (work: () => Promise<LoadResult>): Promise<Measured> => {
    const before = server.cpuSeconds();
    const result = await work();
    return { ...result, cpuSeconds: server.cpuSeconds() - before };
  };
  return await play({
    server,
    load,
    measure,
    open: async (streams) => {
      await load.setStreams(await requestsOf(server, streams));
      return measure(() => load.open(streams.length));
    },
  });
}

/**
 * Compilers of JavaScript run on the server's core, and are busy for thousands of requests: whatever is measured before they are
 * done is mostly theirs.
 */
export async function warmUp(bench: Bench, server: RunningPeer, load: Load): Promise<void> {
  const place = { workspace: 'warm-up' };
  await load.setPublishes([server.publishRequest(place, [eventJson()])]);
  await load.publishCount(bench.scaled(WARM_REQUESTS), 64);
}

/** The requests that open these streams. Keys are asked of this process while their tokens are signed. */
export async function requestsOf(
  server: RunningPeer,
  streams: readonly StreamRequest[],
): Promise<string[]> {
  const requests: string[] = [];
  for (const stream of streams) {
    requests.push(server.streamRequest(stream));
    if (requests.length % 20 === 0) await new Promise(setImmediate);
  }
  return requests;
}

/** Streams of one workspace, each with a token of its own. */
export function streamsOf(workspace: string, count: number): StreamRequest[] {
  return Array.from({ length: count }, (_, at) => ({ workspace, subject: `subscriber-${at}` }));
}
