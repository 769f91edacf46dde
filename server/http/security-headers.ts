import type { NextFunction, Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';

/**
 * Sets the headers that helmet sets. It says the same of every answer, so it is asked once, and what it said is said again:
 * its chain of middleware is a good part of what Express costs.
 */
export function createSecurityHeaders(): RequestHandler {
  const headers = headersOf(helmet());
  return (_request, response, next) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    next();
  };
}

type Middleware = ReturnType<typeof helmet>;

/** @throws Error where it does more than to set headers at once: that could not be said again. */
function headersOf(middleware: Middleware): readonly (readonly [string, string])[] {
  const headers: [string, string][] = [];
  let isDone = false;
  const recorder = {
    setHeader: (name: string, value: string) => headers.push([name, value]),
    // That of Express, which the service does not set.
    removeHeader() {},
  };
  const next: NextFunction = (error?: unknown) => {
    if (error !== undefined) throw error;
    isDone = true;
  };
  middleware({ headers: {} } as Request, recorder as unknown as Response, next);
  if (!isDone) throw new Error('helmet did not answer at once');
  return headers;
}
