import type { IncomingMessage, RequestListener } from 'node:http';
import { CONTENT_TYPES, problemOf } from '@sluice/protocol';
import { SluiceError } from '../errors.js';
import { newRequestId } from './request-id.js';
import type { RequestWatch } from './request-watch.js';

/**
 * Refuses a request whose target is neither a path nor a whole URL (RFC 9112, section 3.2), before Express sees it: it
 * would answer with a page, and the parser it uses warns of such targets by repeating them, with any token in them.
 * Refuses one without Host too (the same section), as Node would, which tells nobody.
 */
export function withPlainTarget(listener: RequestListener, watch: RequestWatch): RequestListener {
  return (request, response) => {
    const detail = faultOf(request);
    if (detail === null) {
      listener(request, response);
      return;
    }
    const requestId = newRequestId();
    watch.observe(request, response).refused(new SluiceError('INVALID_REQUEST', detail));
    response
      .writeHead(400, {
        'Content-Type': CONTENT_TYPES.problem,
        'X-Request-Id': requestId,
        Connection: 'close',
      })
      .end(JSON.stringify(problemOf('INVALID_REQUEST', { requestId, detail })));
  };
}

function faultOf({ url = '', headers, httpVersion }: IncomingMessage): string | null {
  const isPlain = url.startsWith('/') || url === '*' || URL.canParse(url);
  if (!isPlain) return 'The address could not be read.';
  return httpVersion === '1.1' && headers.host === undefined ? 'The Host header is missing.' : null;
}
