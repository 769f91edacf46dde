import { CONTENT_TYPES, eventsPath, PARAMETERS } from '@sluice/protocol';
import { ask } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem } from '../finding.js';
import { FrameReader, type SeenFrame } from '../frame-reader.js';
import { streamErrorOf } from '../open-stream.js';
import { isProblemOfSluice } from '../refusal-of.js';

/** What a native EventSource lives by: it can read neither status nor body of a refusal. */
export const errorsInStreamCheck: Check = {
  id: 'errors-in-stream',
  title: 'Errors in stream',
  needs: ['service'],
  async run(examination) {
    const { workspace } = examination;
    const answer = await ask(examination, eventsPath(workspace ?? 'doctor'), {
      headers: { Accept: CONTENT_TYPES.eventStream, 'Accept-Encoding': 'identity' },
      query: { [PARAMETERS.errors]: 'stream' },
    });
    const frames: SeenFrame[] = [];
    new FrameReader((frame) => frames.push(frame)).feed(answer.body);
    const error = streamErrorOf(frames);
    const facts = { status: answer.status, code: error?.code ?? null };
    if (answer.status === 200 && error !== null) {
      return ok(`a refusal arrives as stream.error ${error.code}`, facts);
    }
    return problem(
      `asked for with errors=stream, a refusal came as ${answer.status} ${answer.headers['content-type'] ?? ''}`,
      isProblemOfSluice(answer)
        ? 'The query did not arrive: let the proxy pass the whole address on.'
        : 'Something between changes the answer: look at its rules for this path.',
      facts,
    );
  },
};
