import type { NextFunction, Request, Response } from 'express';
import { SluiceError } from '../errors.js';
import type { Refusals } from '../ops/refusals.js';
import { sendProblem } from './problem.js';
import { recordOf } from './request-watch.js';

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
export function createErrorHandler(refusals?: Refusals) {
  return (error: unknown, _request: Request, response: Response, _next: NextFunction): void => {
    const refusal = toSluiceError(error);
    noteRefusal(response, refusal, refusals);
    if (response.headersSent) response.destroy();
    else sendProblem(response, refusal);
  };
}

/** Tells whoever counts, and whoever writes the line of the request. */
export function noteRefusal(response: Response, refusal: SluiceError, refusals?: Refusals): void {
  recordOf(response)?.refused(refusal);
  refusals?.count(refusal.code);
}
