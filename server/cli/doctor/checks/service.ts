import type { Answer } from '../ask.js';
import type { Check } from '../examination.js';
import { type Finding, ok, problem, warning } from '../finding.js';
import { adviceFor, isProblemOfSluice, refusalOf } from '../refusal-of.js';

/** Is it Sluice that answers, or a sign-in page, another server, a proxy without one? */
export const serviceCheck: Check = {
  id: 'service',
  title: 'Service',
  needs: ['redirects'],
  async run({ known }) {
    const { bare } = known;
    if (bare === undefined) throw new Error('there is no answer to look at');
    const facts = { status: bare.status, code: null };
    if (!isProblemOfSluice(bare)) return judgeOther(bare, facts);
    const refusal = refusalOf(bare);
    const seen = `it is Sluice: a request without a token gets ${bare.status} ${refusal.code}`;
    const known401 = { ...facts, code: refusal.code };
    if (refusal.code !== 'MISSING_TOKEN') {
      return problem([seen, refusal.detail], adviceFor(refusal), known401);
    }
    if (bare.headers['x-request-id'] === undefined) {
      return warning(
        [seen, 'X-Request-Id does not arrive: an error cannot be found in the log by its id'],
        'Let the proxy pass the header X-Request-Id on.',
        known401,
      );
    }
    return ok(seen, known401);
  },
};

function judgeOther(answer: Answer, facts: Finding['facts']): Finding {
  const { status, headers } = answer;
  const type = headers['content-type'] ?? 'no Content-Type';
  const server = headers['server'] === undefined ? '' : `, Server: ${headers['server']}`;
  const seen = `not Sluice: ${status}, ${type}${server}`;
  if (status >= 500) {
    return problem(
      seen,
      `A proxy answers in place of the service (${WHY_5XX[status] ?? 'it failed'}): look whether the service runs, and at the address that the proxy has for it.`,
      facts,
    );
  }
  if (status === 429) {
    return problem(
      seen,
      'A limit of the proxy, not of Sluice, was reached: raise it for this path.',
      facts,
    );
  }
  if (status === 401 || status === 403) {
    return problem(
      seen,
      'Something in front of the service asks for a sign-in of its own: exempt this path.',
      facts,
    );
  }
  if (status < 300 && type.startsWith('text/html')) {
    return problem(
      seen,
      'A page answers: a sign-in of the network (captive portal), or a single-page application that answers every path. Route /realtime/ to the service.',
      facts,
    );
  }
  return problem(
    seen,
    'Look at the host, the port and the path of the URL: another server answers there.',
    facts,
  );
}

const WHY_5XX: Readonly<Record<number, string>> = {
  502: 'it cannot reach the service',
  503: 'it knows no service that is well',
  504: 'the service does not answer it in time',
};
