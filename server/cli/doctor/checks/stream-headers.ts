import type { Check } from '../examination.js';
import { ok, problem, skipped, warning } from '../finding.js';

/** What must arrive as the service sends it, or caches and proxies further on do harm. */
export const streamHeadersCheck: Check = {
  id: 'stream-headers',
  title: 'Stream headers',
  needs: ['permission'],
  async run({ known }) {
    const { first } = known;
    if (first === undefined || 'heldBackMs' in first) return skipped('there is no stream');
    const { headers } = first.answer;
    const cacheControl = headers['cache-control'] ?? '';
    const facts = {
      cacheControl: headers['cache-control'] ?? null,
      contentEncoding: headers['content-encoding'] ?? null,
      contentLength: headers['content-length'] ?? null,
      via: headers.via ?? null,
      server: headers['server'] ?? null,
    };
    const grave = [
      ...(headers['content-length'] === undefined
        ? []
        : ['it has a Content-Length: something read the stream to its end, or cuts it']),
      ...(headers['age'] === undefined ? [] : [`it comes from a cache (Age: ${headers['age']})`]),
    ];
    if (grave.length > 0) {
      return problem(grave, 'Exempt this path from caching and from buffering.', facts);
    }
    const changed = [
      ...['no-store', 'no-transform'].flatMap((word) =>
        cacheControl.includes(word)
          ? []
          : [`Cache-Control is "${cacheControl}", without ${word}: something changed it`],
      ),
      ...(headers['content-encoding'] === undefined
        ? []
        : [`it is ${headers['content-encoding']}, though nothing of the kind was asked for`]),
    ];
    if (changed.length > 0) {
      return warning(changed, 'Let the headers of the service pass as they are.', facts);
    }
    const way = headers.via ?? headers['server'];
    return ok(`as the service sends them${way === undefined ? '' : `, by way of ${way}`}`, facts);
  },
};
