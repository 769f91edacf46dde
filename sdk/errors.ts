import { CLIENT_ERROR_TITLES, ERRORS, type ErrorCode } from '@sluice/protocol';

/** What is known of an error besides its code. Whoever fills it in keeps tokens out of every member. */
export interface RealtimeErrorDetails {
  /** One plain sentence. */
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

/** For what the SDK notices itself. The service sends its own words along. */
const TITLES: Readonly<Partial<Record<ErrorCode, string>>> = CLIENT_ERROR_TITLES;

/** The one class of error that this SDK raises and reports. It never carries a token or a client secret. */
export class RealtimeError extends Error {
  /** What happened, in a word that stays the same from release to release. */
  declare readonly code: ErrorCode;
  /** Whether going on can help: with a new token for TOKEN_EXPIRED, by waiting for the others. */
  declare readonly recoverable: boolean;
  /** Whether the client goes on by itself. If not, it waits in `failed` for `setToken` or `reconnect`. */
  declare readonly willRetry: boolean;
  /** HTTP status of the answer, where there was one. */
  declare readonly status: number | undefined;
  /** The service's name for the request, for its operators. */
  declare readonly requestId: string | undefined;
  /** Milliseconds after which the service wants to be asked again; at most five minutes. */
  declare readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, details: RealtimeErrorDetails = {}) {
    super(details.message ?? TITLES[code] ?? code, details);
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
    const { name, code } = Object(value) as Partial<RealtimeError>;
    return name === 'RealtimeError' && typeof code === 'string' && Object.hasOwn(ERRORS, code);
  }

  /** Whether this is one of `codes`. `AUTH_FAILED` is another name for AUTH_ERROR. */
  isCode(...codes: readonly (ErrorCode | 'AUTH_FAILED')[]): boolean {
    return codes.some((code) => this.code === (code === 'AUTH_FAILED' ? 'AUTH_ERROR' : code));
  }

  /** Everything but the stack and the cause, for logs. */
  toJSON(): Record<string, unknown> {
    const { name, message, ...fields } = this;
    return { name, message, ...fields };
  }
}

/** The same error with the word of the connection, which alone knows whether there will be another attempt. */
export function withRetry(error: RealtimeError, willRetry: boolean): RealtimeError {
  return Object.assign(new RealtimeError(error.code, error), { willRetry });
}
