import { PARAMETERS } from '@sluice/protocol';
import type { Question } from '../ask.js';
import type { Check, Examination } from '../examination.js';
import { ok, problem, skipped } from '../finding.js';
import { bearer, isConnected, membersOf, openStream } from '../open-stream.js';

/** A reconnect as a client makes it: with the cursor in the header, and in the address. */
export const resumeCheck: Check = {
  id: 'resume',
  title: 'Resume',
  needs: ['first-byte'],
  async run(examination) {
    const { known, token } = examination;
    const { cursor } = known;
    if (token === null || cursor === undefined) return skipped('the stream told no cursor');
    if (known.first !== undefined && 'close' in known.first) known.first.close();
    const byHeader = await resumedAs(examination, {
      headers: { ...bearer(token), 'Last-Event-ID': cursor },
    });
    const byAddress = await resumedAs(examination, {
      headers: bearer(token),
      query: { [PARAMETERS.lastEventId]: cursor },
    });
    const facts = { cursor, byHeader, byAddress };
    if (byHeader === 'complete' && byAddress === 'complete') {
      return ok('complete, by Last-Event-ID and by last_event_id', facts);
    }
    return problem(
      [`by the header Last-Event-ID: ${byHeader}`, `by the parameter last_event_id: ${byAddress}`],
      adviceFor(byHeader, byAddress),
      facts,
    );
  },
};

/** `complete`, `fresh`, `gap` with its reason, or why there was no stream. */
async function resumedAs(examination: Examination, question: Question): Promise<string> {
  const opened = await openStream(examination, question);
  try {
    if (opened.refusal !== null) return opened.refusal.code;
    const connected = await opened.next(isConnected, examination.answerMs);
    if (connected === null) return 'no stream.connected';
    const resumed = wordOf(membersOf(connected)['resumed']);
    if (resumed !== 'gap') return resumed;
    const gap = await opened.next(({ name }) => name === 'stream.gap', examination.answerMs);
    return `gap (${gap === null ? 'without a word' : wordOf(membersOf(gap)['reason'])})`;
  } finally {
    opened.close();
  }
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : 'not said';
}

function adviceFor(byHeader: string, byAddress: string): string {
  if ([byHeader, byAddress].some((how) => how.includes('unknown_epoch') || how.includes('ahead'))) {
    return 'The node that answered does not know the log of the one before: let all nodes share one Redis (REDIS_URL), or send a client always to the same node.';
  }
  if (byHeader === 'fresh') {
    return 'Something between takes the header Last-Event-ID away, by which a browser resumes: events are lost at each reconnect. Let it pass.';
  }
  if (byAddress === 'fresh') {
    return 'Something between cuts the query of the address off: let the whole address pass.';
  }
  return 'See what the service answers to a second stream: limits, or nodes that differ.';
}
