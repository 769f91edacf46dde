import type { RequestListener } from 'node:http';
import { CONTENT_TYPES, problemOf } from '@sluice/protocol';
import { newRequestId } from './request-id.js';

/**
 * Refuses a request whose target is neither a path nor a whole URL (RFC 9112, section 3.2), before Express sees it: it
 * would answer with a page, and the parser it uses warns of such targets by repeating them, with any token in them.
 */
export function withPlainTarget(listener: RequestListener): RequestListener {
  return (request, response) => {
    const { url = '' } = request;
    if (url.startsWith('/') || url === '*' || URL.canParse(url)) {
      listener(request, response);
      return;
    }
    const requestId = newRequestId();
    const detail = 'The address could not be read.';
    response
      .writeHead(400, { 'Content-Type': CONTENT_TYPES.problem, 'X-Request-Id': requestId })
      .end(JSON.stringify(problemOf('INVALID_REQUEST', { requestId, detail })));
  };
}
