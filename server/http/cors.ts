import type { NextFunction, Request, Response } from 'express';
import { SluiceError } from '../errors.js';
import { foreignOriginOf } from './request.js';

const PREFLIGHT_SECONDS = 600;

/**
 * Lets the pages of listed origins read the service's answers, and refuses requests of all others. Origins are
 * compared as they are: no patterns, and `null` is no origin. Requests without an Origin come from no
 * script of a page.
 */
export function createCors(allowedOrigins: readonly string[]) {
  const allowed = new Set(allowedOrigins);
  return (request: Request, response: Response, next: NextFunction): void => {
    response.vary('Origin');
    const origin = foreignOriginOf(request);
    if (origin === null ? isOfForeignPage(request) : !allowed.has(origin)) throw refusal();
    if (origin !== null) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader(
        'Access-Control-Expose-Headers',
        'Retry-After, WWW-Authenticate, X-Request-Id, Date',
      );
    }
    if (origin !== null && request.method === 'OPTIONS') answerPreflight(response);
    else next();
  };
}

/**
 * A link or an image on a page of another origin: such requests carry no Origin, but browsers say where they come from
 * (Fetch Metadata, section 2.2). They could do nothing here but fail, in the name of the visitor's address.
 */
function isOfForeignPage({ headers }: Request): boolean {
  const site = headers['sec-fetch-site'];
  return site === 'cross-site' || site === 'same-site';
}

/** No token would help, so none is asked for. */
function refusal(): SluiceError {
  return new SluiceError('FORBIDDEN', 'This origin is not allowed.', { challenge: null });
}

function answerPreflight(response: Response): void {
  response
    .status(204)
    .setHeader('Access-Control-Allow-Methods', 'GET, POST')
    .setHeader(
      'Access-Control-Allow-Headers',
      'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id',
    )
    .setHeader('Access-Control-Max-Age', String(PREFLIGHT_SECONDS))
    .end();
}
