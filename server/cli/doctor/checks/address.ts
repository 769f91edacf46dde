import type { Check } from '../examination.js';
import { ok, warning } from '../finding.js';
import { isLoopbackHost } from '../loopback.js';

/** What can be said of the URL without asking anybody. */
export const addressCheck: Check = {
  id: 'address',
  title: 'Address',
  needs: [],
  async run({ base, hadQuery, workspace }) {
    const facts = { workspace };
    const at = `${base.origin}${base.pathname.replace(/\/$/, '')}`;
    const seen = workspace === null ? at : `${at}, workspace ${workspace}`;
    if (hadQuery) {
      return warning(
        [seen, 'the URL held a query, which is not used and not shown'],
        'If a token stood in it: shells keep what is typed, so withdraw it. Give tokens by --token-file or SLUICE_TOKEN.',
        facts,
      );
    }
    if (base.protocol === 'http:' && !isLoopbackHost(base.hostname)) {
      return warning(
        [seen, 'http: tokens and events travel where everybody on the way can read them'],
        'Put a proxy that speaks TLS in front of the service, and use https.',
        facts,
      );
    }
    return ok(seen, facts);
  },
};
