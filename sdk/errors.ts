import { ERRORS, type ErrorCode } from '@sluice/protocol';

/** What is known of an error besides its code. Whoever fills it in keeps tokens out of every member. */
export interface RealtimeErrorDetails {
  /** One plain sentence. Default: the title of the code. */
  readonly message?: string | undefined;
  /** Default: what the table of codes says. */
  readonly recoverable?: boolean | undefined;
  /** Default: false. */
  readonly willRetry?: boolean | undefined;
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** The one class of error that this SDK raises and reports. It never carries a token or a client secret. */
export class RealtimeError extends Error {
  /** What happened, in a word that stays the same from release to release. */
  readonly code: ErrorCode;
  /** Whether going on can help: with a new token for TOKEN_EXPIRED, by waiting for the others. */
  readonly recoverable: boolean;
  /** Whether the client goes on by itself. If not, it waits in `failed` for `setToken`. */
  readonly willRetry: boolean;
  /** HTTP status of the answer, where there was one. */
  readonly status: number | undefined;
  /** The service's name for the request, for its operators. */
  readonly requestId: string | undefined;
  /** Milliseconds after which the service wants to be asked again; at most five minutes. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, details: RealtimeErrorDetails = {}) {
    super(
      details.message ?? ERRORS[code].title,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.recoverable = details.recoverable ?? ERRORS[code].recoverable;
    this.willRetry = details.willRetry ?? false;
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
  }

  // On the prototype, so that neither inspect nor JSON lists it among the fields.
  override get name(): 'RealtimeError' {
    return 'RealtimeError';
  }

  /** Whether `value` is a RealtimeError, also one of another copy of this package (a second bundle, another realm). */
  static isRealtimeError(value: unknown): value is RealtimeError {
    return (
      typeof value === 'object' &&
      value !== null &&
      'name' in value &&
      value.name === 'RealtimeError' &&
      'code' in value &&
      typeof value.code === 'string' &&
      Object.hasOwn(ERRORS, value.code)
    );
  }

  /** Everything but the stack and the cause, for logs. */
  toJSON(): Record<string, unknown> {
    const { name, message, code, recoverable, willRetry, status, requestId, retryAfterMs } = this;
    return { name, message, code, recoverable, willRetry, status, requestId, retryAfterMs };
  }
}

/** The same error with the word of the connection, which alone knows whether there will be another attempt. */
export function withRetry(error: RealtimeError, willRetry: boolean): RealtimeError {
  return new RealtimeError(error.code, {
    message: error.message,
    recoverable: error.recoverable,
    willRetry,
    status: error.status,
    requestId: error.requestId,
    retryAfterMs: error.retryAfterMs,
    cause: error.cause,
  });
}
