import type { Request } from 'express';
import type { TokenCarrier } from '../gate/find-token.js';

// What the routes read from a request, as it came: Express and Node both tidy up what the gate must see untidied.

/** The query: Express's own parser drops what it does not understand. */
export function queryOf(request: Request): URLSearchParams {
  const start = request.url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : request.url.slice(start));
}

/** Where this request may carry its token: Node's `headers` keeps the first of several silently. */
export function carrierOf(request: Request): TokenCarrier {
  return {
    authorization: request.headersDistinct['authorization'] ?? [],
    query: queryOf(request),
  };
}

export function workspaceOf(request: Request): string {
  return String(request.params['ws'] ?? '');
}
