import type { Bench } from '../bench.js';
import type { Figure, Reading, Subject, Target } from '../figure.js';
import type { Peer } from '../peers/peer.js';
import { onStage, streamsOf } from '../stage.js';

const COUNT = 10_000;
const UNITS = { 'µs of CPU an opening': 'µs', 'openings/s': 'openings/s' };

/** @param isSecond whether the same tokens have opened streams before */
async function openings(bench: Bench, peer: Peer, isSecond: boolean): Promise<Reading> {
  const streams = streamsOf('bench', bench.scaled(COUNT));
  return onStage(bench, peer, async ({ load, open }) => {
    // In either case the code is warm: compilers run on the server's core, and are busy for thousands of requests.
    await open(isSecond ? streams : streamsOf('warm', streams.length));
    await load.dropStreams();
    const { cpuSeconds, seconds } = await open(streams);
    return {
      'µs of CPU an opening': (cpuSeconds / streams.length) * 1e6,
      'openings/s': streams.length / seconds,
    };
  });
}

/** Opening streams with a token each; on one core all that the server is made of. */
export function openingFigure(bench: Bench): Figure {
  const subject = (peer: Peer, isSecond: boolean): Subject => ({
    name: `${peer.name}, ${isSecond ? 'tokens seen before' : 'new tokens'}`,
    measure: () => openings(bench, peer, isSecond),
  });
  const sluices = [bench.sluice(), ...bench.sluiceOnNode24()];
  const measured = sluices.at(-1)?.name ?? 'Sluice';
  const atLeast = (kind: string, bound: number): Target => ({
    says: `${kind}: processor time of Nchan with a verifier to that of ${measured}`,
    value: (of) =>
      of('Nchan with a verifier, new tokens', 'µs of CPU an opening') /
      of(`${measured}, ${kind}`, 'µs of CPU an opening'),
    bound: { atLeast: bound },
  });
  return {
    name: 'opening',
    title: 'Opening streams, each with an RS256 token of its own',
    method:
      '128 at a time. Nchan asks a server of Node (24 where it is to be had) on the same core, by nchan_authorize_request; both processes count.',
    units: UNITS,
    subjects: [
      ...sluices.flatMap((peer) => [subject(peer, false), subject(peer, true)]),
      subject(bench.guardedNchan(false), false),
      subject(bench.guardedNchan(true), true),
    ],
    targets: [atLeast('new tokens', 1), atLeast('tokens seen before', 1.8)],
  };
}
