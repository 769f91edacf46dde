import {
  codeOfStatus,
  type ErrorCode,
  EVENT_STREAM_TYPE,
  isServiceErrorCode,
  PROBLEM_TYPE,
} from '@sluice/protocol';
import { clampWait } from '../connection/backoff.js';
import { RealtimeError } from '../errors.js';
import { type FetchLikeResponse, isRedirect } from '../http/fetch-like.js';
import { readJsonObject } from '../http/response-body.js';
import { readRetryAfter } from '../http/retry-after.js';
import { redact } from '../redact.js';

/** Whether an answer may be read as events. */
export function isEventStream(response: FetchLikeResponse): boolean {
  return response.status === 200 && mediaType(response).toLowerCase() === EVENT_STREAM_TYPE;
}

/** What an answer that is no event stream means. */
export async function readRefusal(
  response: FetchLikeResponse,
  signal: AbortSignal,
  secrets: readonly string[],
): Promise<RealtimeError> {
  const { status } = response;
  const type = mediaType(response);
  const isProblem = status >= 400 && type.toLowerCase() === PROBLEM_TYPE;
  const detail = isRedirect(response)
    ? 'A redirect is not followed: it would get the token'
    : `The service answered with status ${status} and content type "${type}"`;
  const problem = (isProblem && (await readJsonObject(response, signal))) || { detail };
  return errorOfProblem(problem, secrets, status, readRetryAfter(response));
}

/** The error that a problem tells of, be it a body or the data of `stream.error`. */
export function errorOfProblem(
  problem: Readonly<Record<string, unknown>>,
  secrets: readonly string[],
  status = numberOf(problem['status']),
  retryAfterMs?: number,
): RealtimeError {
  const { code, title, detail, requestId } = problem;
  const safe = (value: unknown): string | undefined =>
    typeof value === 'string' ? redact(value, secrets) : undefined;
  const waitMs = numberOf(problem['retryAfterMs']) ?? retryAfterMs;
  return new RealtimeError(isServiceErrorCode(code) ? code : codeByStatus(status), {
    message: safe(detail) ?? safe(title),
    // Browsers hide the status of a redirect behind 0.
    status: status || undefined,
    requestId: safe(requestId),
    retryAfterMs: waitMs === undefined ? undefined : clampWait(waitMs),
  });
}

/**
 * The code where none is known: proxies answer on their own, and a newer service may know more codes. Without a status to
 * go by, the stream is had again later; so it is after 408 and 425, which ask for that.
 */
function codeByStatus(status = 503): ErrorCode {
  if (status >= 500 || status === 408 || status === 425) return 'UNAVAILABLE';
  return codeOfStatus(status) ?? 'PROTOCOL_ERROR';
}

/** As it was sent: in lower case, a token in it would not be known any more. */
function mediaType(response: FetchLikeResponse): string {
  const contentType = response.headers.get('content-type') ?? '';
  return (contentType.split(';')[0] as string).trim();
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
