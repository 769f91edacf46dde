import { ask, pathBelow } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem, skipped } from '../finding.js';

export const readinessCheck: Check = {
  id: 'readiness',
  title: 'Readiness',
  needs: [],
  async run(examination) {
    const { ops } = examination;
    if (ops === null) return skipped('no --ops was given');
    const url = new URL(ops);
    url.pathname = pathBelow(ops, '/readyz');
    const { status, body } = await ask(examination, url);
    const facts = { status };
    if (status === 200) return ok(`ready: ${body}`, facts);
    return problem(
      [`/readyz answers ${status}`, body],
      status === 503
        ? 'The service takes no traffic yet or any more: the answer says what is in the way.'
        : 'Is this the port for operators (OPS_PORT)?',
      facts,
    );
  },
};
