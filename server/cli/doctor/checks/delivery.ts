import { CONTENT_TYPES, eventsPath, PARAMETERS } from '@sluice/protocol';
import { ask, seconds } from '../ask.js';
import type { Check, Examination } from '../examination.js';
import { type Finding, ok, problem, skipped, warning } from '../finding.js';
import type { SeenFrame } from '../frame-reader.js';
import { bearer, isConnected, openStream } from '../open-stream.js';
import { adviceFor, refusalOf } from '../refusal-of.js';

const EVENT_TYPE = 'sluice.doctor.probe';
const SLOW_MS = 2_000;

/** Publishes two events, waits for both, and comes back behind the first. */
export const deliveryCheck: Check = {
  id: 'delivery',
  title: 'Delivery',
  needs: ['first-byte'],
  async run(examination) {
    const { publishTopic: topic, token } = examination;
    if (topic === null) return skipped('no --publish <topic> was given');
    if (token === null) return skipped('there is no token');
    const live = await openStream(examination, {
      headers: bearer(token),
      query: { [PARAMETERS.topics]: topic },
    });
    try {
      if (live.refusal !== null) {
        const { code, detail } = live.refusal;
        return problem(`topic ${topic}: ${code}: ${detail}`, adviceFor(live.refusal));
      }
      await live.next(isConnected, examination.answerMs);
      const publishedAt = performance.now();
      const published = await publish(examination, topic);
      if ('verdict' in published) return published;
      const [first = '', second = ''] = published;
      const frame = await live.next(withId(second), examination.answerMs);
      if (frame === null) {
        return problem(
          `two events were published to ${topic} (${first}, ${second}), and did not arrive within ${seconds(examination.answerMs)}`,
          'Something between holds events back; or the token may not see this topic; or the nodes share no log.',
          { cursors: published, deliveryMs: null },
        );
      }
      const deliveryMs = frame.atMs - publishedAt;
      return await judgeReturn(examination, topic, { first, second, deliveryMs });
    } finally {
      live.close();
    }
  },
};

/** The cursors of the events, or why there are none. */
async function publish(
  examination: Examination,
  topic: string,
): Promise<readonly string[] | Finding> {
  const { workspace, token } = examination;
  const event = { topic, type: EVENT_TYPE, data: { by: 'sluice doctor' } };
  const answer = await ask(examination, eventsPath(workspace ?? ''), {
    method: 'POST',
    headers: { ...(token !== null && bearer(token)), 'Content-Type': CONTENT_TYPES.json },
    body: JSON.stringify([event, event]),
  });
  const cursors = answer.status === 201 ? cursorsIn(answer.body) : [];
  if (cursors.length === 2) return cursors;
  const refusal = refusalOf(answer);
  return problem(
    `publishing to ${topic} is answered ${refusal.code}: ${refusal.detail}`,
    refusal.code === 'FORBIDDEN'
      ? 'The token needs realtime:publish, for this topic.'
      : adviceFor(refusal),
    { code: refusal.code },
  );
}

function cursorsIn(body: string): readonly string[] {
  try {
    const { events } = Object(JSON.parse(body)) as { events?: unknown };
    return (Array.isArray(events) ? events : [])
      .map((event) => Object(event).cursor)
      .filter((cursor) => typeof cursor === 'string');
  } catch {
    return [];
  }
}

async function judgeReturn(
  examination: Examination,
  topic: string,
  { first, second, deliveryMs }: { first: string; second: string; deliveryMs: number },
): Promise<Finding> {
  const { token, answerMs } = examination;
  const back = await openStream(examination, {
    headers: { ...(token !== null && bearer(token)), 'Last-Event-ID': first },
    query: { [PARAMETERS.topics]: topic },
  });
  try {
    const again = await back.next(withId(second), answerMs);
    const isDoubled = back.frames.some(withId(first));
    const facts = { cursors: [first, second], deliveryMs: Math.round(deliveryMs) };
    if (again === null || isDoubled) {
      return problem(
        `coming back behind ${first}, ${again === null ? `${second} was missing` : `${first} came again`}`,
        'See the check "Resume".',
        facts,
      );
    }
    const seen = `an event arrives ${seconds(deliveryMs)} after it was published; a client that missed it gets it, and nothing twice`;
    return deliveryMs > SLOW_MS
      ? warning(seen, 'Something between holds events back for a while: look for buffering.', facts)
      : ok(seen, facts);
  } finally {
    back.close();
  }
}

function withId(cursor: string): (frame: SeenFrame) => boolean {
  return ({ kind, name, id }) => kind === 'event' && name === 'message' && id === cursor;
}
