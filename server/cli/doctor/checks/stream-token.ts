import { PARAMETERS, streamTokensPath } from '@sluice/protocol';
import { ask } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem, skipped } from '../finding.js';
import { bearer, openStream } from '../open-stream.js';
import { adviceFor, refusalOf } from '../refusal-of.js';

/** The way of a native EventSource: the token is exchanged for one that is good once, in the address. */
export const streamTokenCheck: Check = {
  id: 'stream-token',
  title: 'Stream token',
  needs: ['permission'],
  async run(examination) {
    const { token, workspace, secrets } = examination;
    if (token === null || workspace === null) return skipped('there is no token or no workspace');
    const answer = await ask(examination, streamTokensPath(workspace), {
      method: 'POST',
      headers: bearer(token),
    });
    const streamToken = answer.status === 201 ? streamTokenIn(answer.body) : null;
    if (streamToken === null) {
      const refusal = refusalOf(answer);
      return problem(`none was given: ${refusal.code}: ${refusal.detail}`, adviceFor(refusal), {
        step: 'exchange',
        code: refusal.code,
      });
    }
    secrets.push(streamToken);
    const opened = await openStream(examination, {
      query: { [PARAMETERS.streamToken]: streamToken },
    });
    opened.close();
    if (opened.refusal === null) {
      return ok('one is given, and opens a stream', { step: 'done', code: null });
    }
    const { code, detail } = opened.refusal;
    return problem(
      `one is given, but opens no stream: ${code}: ${detail}`,
      code === 'INVALID_TOKEN'
        ? 'The node that answered does not know the stream token of another one: let all nodes share one Redis (REDIS_URL).'
        : adviceFor(opened.refusal),
      { step: 'stream', code },
    );
  },
};

function streamTokenIn(body: string): string | null {
  try {
    const { streamToken } = Object(JSON.parse(body)) as { streamToken?: unknown };
    return typeof streamToken === 'string' && streamToken !== '' ? streamToken : null;
  } catch {
    return null;
  }
}
