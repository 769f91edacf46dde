import { NoAnswer, seconds } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem, skipped, warning } from '../finding.js';
import { bearer, openStream } from '../open-stream.js';
import { adviceFor } from '../refusal-of.js';

/** What the service says where the signature is not by the key that it has, or where it has none of that name. */
const OF_SIGNATURE = /signature|key that is not known/;
const OTHER_KEYS =
  'The signature holds by the keys that the issuer publishes, see "Signature": the service has others. It reads them elsewhere (JWKS_URI), or the issuer has put a new key in the place of one of the same "kid", which the service notices when it reads them again.';

/** Shows the token at the gate, and keeps the stream for the checks that follow. */
export const entryCheck: Check = {
  id: 'entry',
  title: 'At the gate',
  needs: ['service'],
  async run(examination) {
    const { token, workspace, known } = examination;
    if (token === null) return skipped('no token was given: --token-file, or SLUICE_TOKEN');
    if (workspace === null) return skipped('no --workspace was given');
    let opened: Awaited<ReturnType<typeof openStream>>;
    try {
      opened = await openStream(examination, { headers: bearer(token) });
    } catch (error) {
      if (!(error instanceof NoAnswer && error.isLate)) throw error;
      known.first = { heldBackMs: examination.answerMs };
      return skipped(
        `no answer within ${seconds(examination.answerMs)}, though requests without a token are answered: see "First byte"`,
      );
    }
    known.first = opened;
    const { refusal, answer } = opened;
    if (refusal === null && known.refusedBy != null) {
      return warning(
        `the service takes the token, though the check of the ${known.refusedBy} was expected to refuse it`,
        'Its settings, or its clock, are others than those that the doctor knows of: see "Token".',
        { code: null, status: 200 },
      );
    }
    if (refusal === null) {
      return ok('the service takes the token for this workspace', { code: null, status: 200 });
    }
    const { code, detail } = refusal;
    const facts = {
      code,
      detail,
      status: answer.status,
      retryAfterMs: refusal.retryAfterMs ?? null,
    };
    if (code === 'FORBIDDEN') {
      return ok('token and workspace are taken; the permission is not, see "Permission"', facts);
    }
    if (code === 'HTTP 200') {
      return problem(
        `a stream is answered with 200 and ${answer.headers['content-type'] ?? 'no Content-Type'}, not with an event stream`,
        'Something between answers in place of the service, or changes the Content-Type: look at its rules for this path.',
        facts,
      );
    }
    const isOfOtherKeys = known.hasSignature === true && OF_SIGNATURE.test(detail);
    return problem(`${code}: ${detail}`, isOfOtherKeys ? OTHER_KEYS : adviceFor(refusal), facts);
  },
};
