import type { Request, Response } from 'express';
import type { GateRequest } from '../gate/gate.js';
import { requestIdOf } from './request-id.js';

// What the routes read from a request, as it came: Express and Node both tidy up what the gate must see untidied.

/** The query: Express's own parser drops what it does not understand. */
export function queryOf(request: Request): URLSearchParams {
  const start = request.url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : request.url.slice(start));
}

/** What the gate looks at. Node's `headers` would keep the first of several silently. */
export function gateRequestOf(request: Request, response: Response): GateRequest {
  return {
    workspace: String(request.params['ws'] ?? ''),
    authorization: request.headersDistinct['authorization'] ?? [],
    query: queryOf(request),
    address: addressOf(request),
    origin: foreignOriginOf(request),
    requestId: requestIdOf(response),
  };
}

/** Where the client is: the word of a proxy counts where it is trusted (TRUST_PROXY). */
export function addressOf(request: Request): string {
  return request.ip ?? request.socket.remoteAddress ?? '';
}

/** The origin of the page that asks; `null` for a page of this very host, and for what is no page. */
export function foreignOriginOf(request: Request): string | null {
  const { origin, host } = request.headers;
  // Browsers send Origin with the POST requests of a host's own pages too.
  const isOwn = host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  return origin === undefined || isOwn ? null : origin;
}
