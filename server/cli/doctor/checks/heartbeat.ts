import { seconds } from '../ask.js';
import type { Check } from '../examination.js';
import { type Finding, ok, problem, skipped, warning } from '../finding.js';
import type { SeenFrame } from '../frame-reader.js';
import { streamErrorOf } from '../open-stream.js';

const DEFAULT_WATCH_MS = 20_000;
/** The most that HEARTBEAT_MS may be. */
const LONGEST_HEARTBEAT_MS = 30_000;
/** Written at least 100 ms apart: what comes closer together was held back. */
const TOGETHER_MS = 30;
/** After that the SDK takes a stream for dead. */
const DEAD_MS = 45_000;
const ADVICE =
  'Something between holds small pieces back: switch buffering and compression off for this path.';

export const heartbeatCheck: Check = {
  id: 'heartbeat',
  title: 'Heartbeats',
  needs: ['first-byte'],
  async run({ known, watchMs, expected }) {
    const { first } = known;
    if (first === undefined || 'heldBackMs' in first) return skipped('there is no stream');
    const from = performance.now();
    const isEnough = watchMs === null ? isHeartbeat : () => false;
    await first.next(isEnough, watchMs ?? DEFAULT_WATCH_MS);
    const watchedMs = performance.now() - from;
    const beats = first.frames.filter(isHeartbeat).map(({ atMs }) => atMs);
    const gaps = beats.slice(1).map((at, index) => at - (beats[index] as number));
    const facts = {
      watchedMs: Math.round(watchedMs),
      count: beats.length,
      gapsMs: gaps.map(Math.round),
    };
    if (first.hasEnded()) return judgeEnd(first.frames, performance.now() - first.headAtMs, facts);
    if (beats.length === 0) return judgeNone(watchedMs, facts);
    return judgeGaps(gaps, beats.length, watchedMs, expected.heartbeatMs, facts);
  },
};

function isHeartbeat({ kind }: SeenFrame): boolean {
  return kind === 'comment';
}

function judgeEnd(frames: readonly SeenFrame[], livedMs: number, facts: Finding['facts']): Finding {
  const error = streamErrorOf(frames);
  if (error !== null) {
    return warning(
      `the service ended the stream: ${error.code}: ${error.detail}`,
      'Run the doctor again when the reason is gone.',
      facts,
    );
  }
  return problem(
    `the stream was cut after ${seconds(livedMs)}, and not by the service`,
    'Something between ends long answers: raise its time-outs for this path (nginx: proxy_read_timeout, proxy_send_timeout; HAProxy: timeout tunnel, timeout server).',
    facts,
  );
}

function judgeNone(watchedMs: number, facts: Finding['facts']): Finding {
  const seen = `none in ${seconds(watchedMs)}; by default one comes every 15 s`;
  if (watchedMs >= LONGEST_HEARTBEAT_MS) return problem(seen, ADVICE, facts);
  if (watchedMs >= DEFAULT_WATCH_MS - 1_000) {
    return warning(seen, `HEARTBEAT_MS may be longer: watch with --seconds 60. ${ADVICE}`, facts);
  }
  return ok([seen, 'this was too short a time to say more: --seconds 20'], facts);
}

function judgeGaps(
  gaps: readonly number[],
  count: number,
  watchedMs: number,
  saidMs: number | null,
  facts: Finding['facts'],
): Finding {
  const longest = Math.max(0, ...gaps);
  const watched = `watched for ${seconds(watchedMs)}: what cuts quiet streams later than that is not seen`;
  const seen =
    gaps.length === 0
      ? `one came after ${seconds(watchedMs)}`
      : `${count} came, ${seconds(Math.min(...gaps))} to ${seconds(longest)} apart`;
  const together = gaps.filter((gap) => gap < TOGETHER_MS).length;
  if (together > 1) {
    return problem([seen, 'some came together, so they were held back'], ADVICE, facts);
  }
  if (together === 1) {
    // A network that stalled for a moment looks the same.
    return warning(
      [seen, 'two came together'],
      `Watch longer, with --seconds 60. ${ADVICE}`,
      facts,
    );
  }
  if (longest > DEAD_MS || (saidMs !== null && longest > 3 * saidMs)) {
    return problem(
      [
        seen,
        `clients take a stream for dead after ${seconds(saidMs === null ? DEAD_MS : 3 * saidMs)}`,
      ],
      ADVICE,
      facts,
    );
  }
  return ok([seen, watched], facts);
}
