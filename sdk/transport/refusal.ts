import {
  CONTENT_TYPES,
  type ErrorCode,
  isServiceErrorCode,
  type ServiceErrorCode,
} from '@sluice/protocol';
import { clampWait } from '../connection/backoff.js';
import { RealtimeError } from '../errors.js';
import { type FetchLikeResponse, isRedirect } from '../http/fetch-like.js';
import { readJsonObject } from '../http/response-body.js';
import { readRetryAfter } from '../http/retry-after.js';
import { redact } from '../redact.js';

/** Statuses that proxies and services answer with on their own, without a problem body. */
const CODE_OF_STATUS: Readonly<Partial<Record<number, ServiceErrorCode>>> = {
  400: 'INVALID_REQUEST',
  401: 'INVALID_TOKEN',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'UNAVAILABLE',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  425: 'UNAVAILABLE',
  429: 'RATE_LIMIT_EXCEEDED',
};

/** Whether an answer may be read as events. */
export function isEventStream(response: FetchLikeResponse): boolean {
  return response.status === 200 && mediaType(response) === CONTENT_TYPES.eventStream;
}

/** What an answer that is no event stream means. */
export async function readRefusal(
  response: FetchLikeResponse,
  signal: AbortSignal,
  secrets: readonly string[],
): Promise<RealtimeError> {
  const { status } = response;
  const retryAfterMs = readRetryAfter(response);
  if (isRedirect(response)) {
    return new RealtimeError('PROTOCOL_ERROR', {
      message:
        'The service answered with a redirect, which is not followed: it would get the token',
      ...(status !== 0 && { status }),
    });
  }
  if (status >= 400 && mediaType(response) === CONTENT_TYPES.problem) {
    const problem = await readJsonObject(response, signal);
    if (problem !== null) return errorOfProblem(problem, secrets, { status, retryAfterMs });
  }
  const code = codeOfStatus(status);
  return new RealtimeError(code, {
    message:
      code === 'PROTOCOL_ERROR'
        ? `The answer was not a Sluice stream: status ${status}, content type "${redact(mediaType(response), secrets)}"`
        : `The service answered with status ${status}`,
    status,
    retryAfterMs,
  });
}

/** The error that a problem tells of, be it a body or the data of `stream.error`. */
export function errorOfProblem(
  problem: Readonly<Record<string, unknown>>,
  secrets: readonly string[],
  answer: { status?: number; retryAfterMs?: number | undefined } = {},
): RealtimeError {
  const { code, title, detail, requestId, retryAfterMs } = problem;
  const status = answer.status ?? numberOf(problem['status']);
  const text = textOf(detail) ?? textOf(title);
  const id = textOf(requestId);
  const wait = numberOf(retryAfterMs);
  return new RealtimeError(isServiceErrorCode(code) ? code : codeOfUnknown(status), {
    message: text === undefined ? undefined : redact(text, secrets),
    status,
    requestId: id === undefined ? undefined : redact(id, secrets),
    retryAfterMs: wait === undefined ? answer.retryAfterMs : clampWait(wait),
  });
}

/** A newer service may know more codes. Without a status to go by, the stream is had again later. */
function codeOfUnknown(status: number | undefined): ErrorCode {
  return status === undefined ? 'UNAVAILABLE' : codeOfStatus(status);
}

function codeOfStatus(status: number): ErrorCode {
  if (status >= 500) return 'UNAVAILABLE';
  return CODE_OF_STATUS[status] ?? 'PROTOCOL_ERROR';
}

function mediaType(response: FetchLikeResponse): string {
  const contentType = response.headers.get('content-type') ?? '';
  return (contentType.split(';')[0] as string).trim().toLowerCase();
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
