import type { NextFunction, Request, Response } from 'express';
import { SluiceError } from '../errors.js';

const PREFLIGHT_SECONDS = 600;

/**
 * Lets the pages of listed origins read the service's answers, and refuses requests of all others. Origins are
 * compared as they are: no patterns, and `null` is no origin. Requests without an Origin come from no page.
 */
export function createCors(allowedOrigins: readonly string[]) {
  const allowed = new Set(allowedOrigins);
  return (request: Request, response: Response, next: NextFunction): void => {
    response.vary('Origin');
    const { origin } = request.headers;
    const isFromElsewhere = origin !== undefined && !isSameOrigin(origin, request);
    if (isFromElsewhere) {
      if (!allowed.has(origin)) throw new SluiceError('FORBIDDEN', 'This origin is not allowed.');
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader(
        'Access-Control-Expose-Headers',
        'Retry-After, WWW-Authenticate, X-Request-Id, Date',
      );
    }
    if (isFromElsewhere && request.method === 'OPTIONS') answerPreflight(response);
    else next();
  };
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

/** A page of this very host: browsers send Origin with its POST requests too. */
function isSameOrigin(origin: string, request: Request): boolean {
  const { host } = request.headers;
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}
