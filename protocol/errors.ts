/** What a code means to every part of Sluice: its HTTP status, and whether trying again can help. */
export interface ErrorEntry {
  /** HTTP status of the refusal; `null` where the code never travels as an HTTP status. */
  readonly status: number | null;
  /** Whether a client may go on by itself: with a new token for TOKEN_EXPIRED, by waiting for the others. */
  readonly recoverable: boolean;
}

/**
 * The codes that the service puts on the wire. The normative text is docs/PROTOCOL.md, section 6. Of the codes that share
 * a status the most general one comes last.
 */
export const SERVICE_ERRORS = {
  MISSING_TOKEN: { status: 401, recoverable: false },
  TOKEN_EXPIRED: { status: 401, recoverable: true },
  INVALID_TOKEN: { status: 401, recoverable: false },
  WORKSPACE_MISMATCH: { status: 403, recoverable: false },
  FORBIDDEN: { status: 403, recoverable: false },
  AUTH_ERROR: { status: 503, recoverable: true },
  INVALID_REQUEST: { status: 400, recoverable: false },
  RATE_LIMIT_EXCEEDED: { status: 429, recoverable: true },
  SLOW_CONSUMER: { status: null, recoverable: true },
  UNAVAILABLE: { status: 503, recoverable: true },
  NOT_FOUND: { status: 404, recoverable: false },
  METHOD_NOT_ALLOWED: { status: 405, recoverable: false },
  PAYLOAD_TOO_LARGE: { status: 413, recoverable: false },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, recoverable: false },
  INTERNAL_ERROR: { status: 500, recoverable: true },
} as const satisfies Record<string, ErrorEntry>;

/** The codes that only the SDK raises; they never travel. */
export const CLIENT_ERRORS = {
  NETWORK_ERROR: { status: null, recoverable: true },
  HEARTBEAT_TIMEOUT: { status: null, recoverable: true },
  TOKEN_PROVIDER_ERROR: { status: null, recoverable: true },
  TOKEN_PROVIDER_TIMEOUT: { status: null, recoverable: true },
  PROTOCOL_ERROR: { status: null, recoverable: false },
  CLOSED: { status: null, recoverable: false },
} as const satisfies Record<string, ErrorEntry>;

/** One plain sentence a code. Apart from the tables: the service sends its own along, and browsers need not carry them. */
export const SERVICE_ERROR_TITLES: Readonly<Record<keyof typeof SERVICE_ERRORS, string>> = {
  MISSING_TOKEN: 'No access token was given',
  TOKEN_EXPIRED: 'The access token has expired',
  INVALID_TOKEN: 'The access token is not valid',
  WORKSPACE_MISMATCH: 'The access token belongs to another workspace',
  FORBIDDEN: 'The permission was not granted',
  AUTH_ERROR: 'The token or permission could not be checked',
  INVALID_REQUEST: 'The request is not valid',
  RATE_LIMIT_EXCEEDED: 'A limit was reached',
  SLOW_CONSUMER: 'The stream was read more slowly than its limits allow',
  UNAVAILABLE: 'The service cannot answer right now',
  NOT_FOUND: 'There is nothing at this address',
  METHOD_NOT_ALLOWED: 'This address does not take this method',
  PAYLOAD_TOO_LARGE: 'The body or an event is too large',
  UNSUPPORTED_MEDIA_TYPE: 'The content type is not supported',
  INTERNAL_ERROR: 'The service failed',
};

/** As SERVICE_ERROR_TITLES, for the codes that only the SDK raises. */
export const CLIENT_ERROR_TITLES: Readonly<Record<keyof typeof CLIENT_ERRORS, string>> = {
  NETWORK_ERROR: 'The service could not be reached',
  HEARTBEAT_TIMEOUT: 'The stream fell silent',
  TOKEN_PROVIDER_ERROR: 'No token could be had',
  TOKEN_PROVIDER_TIMEOUT: 'The token provider did not answer in time',
  PROTOCOL_ERROR: 'The answer was not a Sluice stream',
  CLOSED: 'The client was closed',
};

/** Every code. */
export const ERRORS = { ...SERVICE_ERRORS, ...CLIENT_ERRORS } as const;

/** A code that the service puts on the wire. */
export type ServiceErrorCode = keyof typeof SERVICE_ERRORS;
/** A code that only the SDK raises. */
export type ClientErrorCode = keyof typeof CLIENT_ERRORS;
/** What happened, in a word that stays the same from release to release. docs/errors.md says what to do about each. */
export type ErrorCode = ServiceErrorCode | ClientErrorCode;

/** Whether `value` is a code that the service puts on the wire. */
export function isServiceErrorCode(value: unknown): value is ServiceErrorCode {
  return typeof value === 'string' && Object.hasOwn(SERVICE_ERRORS, value);
}

/** The most general code that travels with this status, for an answer that does not name its own. */
export function codeOfStatus(status: number): ServiceErrorCode | undefined {
  const codes = Object.keys(SERVICE_ERRORS) as ServiceErrorCode[];
  return codes.findLast((code) => SERVICE_ERRORS[code].status === status);
}

/**
 * Whether coming back with the same token has no prospect after this code, so that a native EventSource, which could do
 * nothing else, is told to stay away.
 */
export function isTerminal(code: ServiceErrorCode): boolean {
  return !SERVICE_ERRORS[code].recoverable || code === 'TOKEN_EXPIRED';
}

/** RFC 9457 problem details; also the data of `stream.error`, where `status` may be absent. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status?: number;
  /** What was wrong with this very request, in words that help its caller. */
  readonly detail?: string;
  readonly code: ServiceErrorCode;
  readonly recoverable: boolean;
  readonly requestId: string;
  /** Milliseconds after which trying again is welcome. */
  readonly retryAfterMs?: number;
}

/** The problem body of a code. `detail` must already be fit for the caller's eyes. */
export function problemOf(
  code: ServiceErrorCode,
  about: { requestId: string; detail?: string; retryAfterMs?: number },
): Problem {
  const { status, recoverable } = SERVICE_ERRORS[code];
  return {
    type: `urn:sluice:error:${code}`,
    title: SERVICE_ERROR_TITLES[code],
    ...(status !== null && { status }),
    ...(about.detail !== undefined && { detail: about.detail }),
    code,
    recoverable,
    requestId: about.requestId,
    ...(about.retryAfterMs !== undefined && { retryAfterMs: about.retryAfterMs }),
  };
}
