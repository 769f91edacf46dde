import { eventsPath, PARAMETERS } from '@sluice/protocol';
import { ask } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem, warning } from '../finding.js';
import { adviceFor, refusalOf } from '../refusal-of.js';

/** Not the caller's token, which would lie in the log of every proxy on the way. */
const NO_TOKEN = 'sluice-doctor';

export const queryTokenCheck: Check = {
  id: 'query-token',
  title: 'Token in address',
  needs: ['service'],
  async run(examination) {
    const answer = await ask(examination, eventsPath(examination.workspace ?? 'doctor'), {
      query: { [PARAMETERS.accessToken]: NO_TOKEN },
    });
    const refusal = refusalOf(answer);
    const { code } = refusal;
    const facts = { code, accepted: code === 'INVALID_TOKEN' };
    switch (code) {
      case 'INVALID_TOKEN':
        return ok(
          'access tokens in the address are looked at (QUERY_TOKENS is on); tried with a made-up one, since addresses get into logs',
          facts,
        );
      case 'INVALID_REQUEST':
        return ok('access tokens in the address are refused (QUERY_TOKENS is off)', facts);
      case 'MISSING_TOKEN':
        return problem(
          'what stands behind the ? of an address does not arrive',
          'Let the proxy pass the whole address on: stream tokens, topics and last_event_id stand there too.',
          facts,
        );
      default:
        return warning(`${code}: ${refusal.detail}`, adviceFor(refusal), facts);
    }
  },
};
