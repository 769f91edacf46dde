import type { NextFunction, Request, Response } from 'express';
import { SluiceError } from '../errors.js';
import { describeError, type Log } from '../ops/log.js';
import type { Refusals } from '../ops/refusals.js';
import { sendProblem } from './problem.js';
import { requestIdOf } from './request-id.js';

/** Any error as one that may be shown: what is not known is INTERNAL_ERROR, and keeps its words to itself. */
export function toSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown };
  if (type === 'entity.too.large') return new SluiceError('PAYLOAD_TOO_LARGE');
  if (status === 415) {
    return new SluiceError('UNSUPPORTED_MEDIA_TYPE', 'The content encoding is not supported.');
  }
  // Express and its body parser mark what the caller did wrong: a path that cannot be decoded, a body cut short.
  if (status === 400) {
    return new SluiceError('INVALID_REQUEST', 'The request could not be read.', { cause: error });
  }
  return new SluiceError('INTERNAL_ERROR', undefined, { cause: error });
}

/** Answers every error of a route as a problem document. */
export function createErrorHandler(log: Log, refusals?: Refusals) {
  return (error: unknown, _request: Request, response: Response, _next: NextFunction): void => {
    const refusal = toSluiceError(error);
    logRefusal(log, response, refusal);
    refusals?.count(refusal.code);
    if (response.headersSent) response.destroy();
    else sendProblem(response, refusal);
  };
}

export function logRefusal(log: Log, response: Response, { code, message, cause }: SluiceError) {
  const fields = { code, detail: message, requestId: requestIdOf(response) };
  if (cause === undefined) log.info(fields, 'request refused');
  else if (code === 'INTERNAL_ERROR')
    log.error({ ...fields, cause: describeError(cause, { withStack: true }) }, 'request failed');
  else log.warn({ ...fields, cause: describeError(cause) }, 'request refused');
}
