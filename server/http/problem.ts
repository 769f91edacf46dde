import {
  CONTENT_TYPES,
  encodeFrame,
  isTerminal,
  problemOf,
  SERVICE_ERROR_TITLES,
  SERVICE_ERRORS,
  type ServiceErrorCode,
  TERMINAL_RETRY_MS,
} from '@sluice/protocol';
import type { Response } from 'express';
import type { SluiceError } from '../errors.js';
import { setStreamHeaders } from '../stream/head.js';
import { requestIdOf } from './request-id.js';

/** RFC 6750, section 3.1: the challenge that goes with each refusal of a token. */
const CHALLENGES: Partial<Record<ServiceErrorCode, string>> = {
  // Section 3.1: a request without authentication information SHOULD NOT get an error code.
  MISSING_TOKEN: 'Bearer',
  INVALID_TOKEN: 'Bearer error="invalid_token"',
  TOKEN_EXPIRED: 'Bearer error="invalid_token", error_description="The token has expired"',
  FORBIDDEN: 'Bearer error="insufficient_scope"',
  WORKSPACE_MISMATCH: 'Bearer error="insufficient_scope"',
};

/** Answers with a problem document (RFC 9457). */
export function sendProblem(response: Response, error: SluiceError): void {
  const { code, retryAfterMs } = error;
  const challenge = error.challenge === undefined ? CHALLENGES[code] : error.challenge;
  if (challenge) response.setHeader('WWW-Authenticate', challenge);
  if (retryAfterMs !== undefined) {
    response.setHeader('Retry-After', String(Math.ceil(retryAfterMs / 1_000)));
  }
  response
    .status(SERVICE_ERRORS[code].status ?? 500)
    .setHeader('Cache-Control', 'no-store')
    .setHeader('Content-Type', CONTENT_TYPES.problem)
    .end(JSON.stringify(problemBody(response, error)));
}

/**
 * Answers with a stream that holds the problem alone, for a native EventSource, which can read neither status nor
 * body of a refusal. It comes back by itself only where that has a prospect.
 */
export function streamProblem(response: Response, error: SluiceError): void {
  const { code, retryAfterMs } = error;
  const frame = encodeFrame({
    retry: isTerminal(code) ? TERMINAL_RETRY_MS : (retryAfterMs ?? 1_000),
    event: 'stream.error',
    data: JSON.stringify(problemBody(response, error)),
  });
  setStreamHeaders(response);
  response.status(200).end(frame);
}

function problemBody(response: Response, { code, message, retryAfterMs }: SluiceError) {
  return problemOf(code, {
    requestId: requestIdOf(response),
    ...(message !== SERVICE_ERROR_TITLES[code] && { detail: message }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
