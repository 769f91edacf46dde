import type { NextFunction, Request, Response } from 'express';

/** What Node by itself allows for a whole head. */
const MAX_REQUEST_LINE = 16_384;

/**
 * Answers 431 where the first line of a request is too long, as Node does where the whole head is: without a problem
 * document. The head may be longer than the line, so that a header that is too long can be named.
 */
export function boundRequestLine(request: Request, response: Response, next: NextFunction): void {
  const { method, originalUrl, httpVersion } = request;
  if (`${method} ${originalUrl} HTTP/${httpVersion}`.length <= MAX_REQUEST_LINE) next();
  else response.status(431).setHeader('Connection', 'close').end();
}
