import { seconds } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem, skipped, warning } from '../finding.js';
import { isConnected } from '../open-stream.js';

/** What is written at once must arrive at once. */
const SLOW_MS = 2_000;
const ADVICE =
  'Something between collects the answer before it passes it on. Switch buffering off for this path (nginx: proxy_buffering off, and do not ignore X-Accel-Buffering), and compression too.';

export const firstByteCheck: Check = {
  id: 'first-byte',
  title: 'First byte',
  needs: ['service'],
  async run({ known, answerMs }) {
    const { first, bare } = known;
    if (first === undefined) return skipped('no stream was asked for: see "At the gate"');
    if ('heldBackMs' in first) {
      return problem(
        `nothing of the stream came within ${seconds(first.heldBackMs)}, though a refusal came in ${seconds(bare?.headMs ?? 0)}`,
        ADVICE,
        { headMs: null, connectedMs: null },
      );
    }
    if (!first.isStream) return skipped('no stream was let in: see "At the gate"');
    const { headMs } = first.answer;
    const connected = await first.next(isConnected, answerMs);
    if (connected === null) {
      const facts = { headMs: Math.round(headMs), connectedMs: null };
      return problem(
        first.hasEnded()
          ? 'the stream ended before stream.connected came'
          : `the head came in ${seconds(headMs)}, but stream.connected did not within ${seconds(answerMs)}${first.hasBegun() ? '' : ', nor any byte'}`,
        ADVICE,
        facts,
      );
    }
    if (connected.id !== null) known.cursor = connected.id;
    const connectedMs = headMs + Math.max(0, connected.atMs - first.headAtMs);
    return judge(headMs, connectedMs);
  },
};

function judge(headMs: number, connectedMs: number) {
  const facts = { headMs: Math.round(headMs), connectedMs: Math.round(connectedMs) };
  const seen = `head after ${seconds(headMs)}, stream.connected after ${seconds(connectedMs)}`;
  return connectedMs > SLOW_MS ? warning(seen, ADVICE, facts) : ok(seen, facts);
}
