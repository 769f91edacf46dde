import type { NextFunction, Request, Response } from 'express';
import type { Log } from '../ops/log.js';

/**
 * Tells, once, of requests that came through a proxy which nobody said to trust: all who come that way have its address,
 * and share what one address may do. In an application, whom to trust is the application's own setting.
 */
export function createProxyWarning(log: Log) {
  let isTold = false;
  return (request: Request, _response: Response, next: NextFunction): void => {
    if (!isTold && isForwarded(request) && trustsNobody(request.app.get('trust proxy'))) {
      isTold = true;
      log.warn({}, 'requests carry X-Forwarded-For, but no proxy is trusted: see TRUST_PROXY');
    }
    next();
  };
}

function isForwarded(request: Request): boolean {
  return request.headers['x-forwarded-for'] !== undefined;
}

/** By what Express takes for `trust proxy`: none, no hops, or no addresses. */
function trustsNobody(setting: unknown): boolean {
  return !setting || (Array.isArray(setting) && setting.length === 0);
}
