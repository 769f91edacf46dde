import { SERVICE_ERROR_TITLES, SERVICE_ERRORS, type ServiceErrorCode } from '@sluice/protocol';

/**
 * The one error that may leave a part of the service. `detail` is written for the caller: it never holds a token, a
 * key, an internal address or a library's own words; those stay in `cause`, for the log.
 */
export class SluiceError extends Error {
  readonly code: ServiceErrorCode;
  /** Milliseconds after which trying again is welcome. */
  readonly retryAfterMs: number | undefined;
  /** What WWW-Authenticate says in place of what the code says by itself; `null`: nothing. */
  readonly challenge: string | null | undefined;

  constructor(
    code: ServiceErrorCode,
    detail?: string,
    options: { cause?: unknown; retryAfterMs?: number; challenge?: string | null } = {},
  ) {
    super(
      detail ?? SERVICE_ERROR_TITLES[code],
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'SluiceError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.challenge = options.challenge;
  }
}

/** Whether the service, or what it leans on, is at fault, and not who asks. */
export function isOwnFault(code: ServiceErrorCode): boolean {
  const { status } = SERVICE_ERRORS[code];
  return status !== null && status >= 500;
}

/** A delay between half of `meanMs` and one and a half: those who were refused together do not come back together. */
export function spreadRetryMs(meanMs: number): number {
  return Math.round(meanMs * (0.5 + Math.random()));
}
