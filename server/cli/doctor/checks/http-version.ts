import type { Check } from '../examination.js';
import { ok, warning } from '../finding.js';

/** Of what TLS has offered: the other checks themselves speak HTTP/1.1. */
export const httpVersionCheck: Check = {
  id: 'http-version',
  title: 'HTTP version',
  needs: ['service'],
  async run({ base, known }) {
    if (known.alpn === 'h2') return ok('HTTP/2 is offered', { http2: true });
    const seen =
      'HTTP/1.1: a browser opens six connections to it, all tabs together, and each stream takes one';
    if (base.protocol === 'http:') {
      return ok([seen, 'browsers speak HTTP/2 over TLS alone'], { http2: false });
    }
    return warning(
      seen,
      "Switch HTTP/2 on at the proxy; or let tabs share one stream (the SDK's crossTab).",
      { http2: false },
    );
  },
};
