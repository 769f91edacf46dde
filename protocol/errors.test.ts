import { describe, expect, it } from '@jest/globals';
import {
  CLIENT_ERROR_TITLES,
  CLIENT_ERRORS,
  codeOfStatus,
  ERRORS,
  isServiceErrorCode,
  problemOf,
  SERVICE_ERROR_TITLES,
  SERVICE_ERRORS,
  type ServiceErrorCode,
} from '@sluice/protocol';

// The contract, written down a second time: a change here is a change of the wire.
const SERVICE: Record<ServiceErrorCode, readonly [status: number | null, recoverable: boolean]> = {
  MISSING_TOKEN: [401, false],
  TOKEN_EXPIRED: [401, true],
  INVALID_TOKEN: [401, false],
  WORKSPACE_MISMATCH: [403, false],
  FORBIDDEN: [403, false],
  AUTH_ERROR: [503, true],
  INVALID_REQUEST: [400, false],
  RATE_LIMIT_EXCEEDED: [429, true],
  SLOW_CONSUMER: [null, true],
  UNAVAILABLE: [503, true],
  NOT_FOUND: [404, false],
  METHOD_NOT_ALLOWED: [405, false],
  PAYLOAD_TOO_LARGE: [413, false],
  UNSUPPORTED_MEDIA_TYPE: [415, false],
  INTERNAL_ERROR: [500, true],
};

const CLIENT = {
  NETWORK_ERROR: true,
  HEARTBEAT_TIMEOUT: true,
  TOKEN_PROVIDER_ERROR: true,
  TOKEN_PROVIDER_TIMEOUT: true,
  PROTOCOL_ERROR: false,
  CLOSED: false,
};

const CODES = Object.keys(SERVICE_ERRORS) as ServiceErrorCode[];

describe('the table of errors', () => {
  it('gives each code of the service its status and whether it is recoverable', () => {
    const table = Object.entries(SERVICE_ERRORS).map(([code, { status, recoverable }]) => [
      code,
      [status, recoverable],
    ]);
    expect(Object.fromEntries(table)).toEqual(SERVICE);
  });

  it('gives each code of the client whether it is recoverable, and no status', () => {
    const table = Object.entries(CLIENT_ERRORS).map(([code, entry]) => [code, entry.recoverable]);
    expect(Object.fromEntries(table)).toEqual(CLIENT);
    expect(Object.values(CLIENT_ERRORS).every(({ status }) => status === null)).toBe(true);
  });

  it.each([
    [400, 'INVALID_REQUEST'],
    [401, 'INVALID_TOKEN'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [405, 'METHOD_NOT_ALLOWED'],
    [413, 'PAYLOAD_TOO_LARGE'],
    [415, 'UNSUPPORTED_MEDIA_TYPE'],
    [429, 'RATE_LIMIT_EXCEEDED'],
    [500, 'INTERNAL_ERROR'],
    [503, 'UNAVAILABLE'],
    [418, undefined],
  ])('gives the status %d its most general code', (status, code) => {
    expect(codeOfStatus(status)).toBe(code);
  });

  it('holds each code once, with a title of one plain sentence', () => {
    expect(Object.keys(ERRORS)).toHaveLength(
      Object.keys(SERVICE_ERRORS).length + Object.keys(CLIENT_ERRORS).length,
    );
    const titles = { ...SERVICE_ERROR_TITLES, ...CLIENT_ERROR_TITLES };
    expect(Object.keys(titles)).toEqual(Object.keys(ERRORS));
    for (const title of Object.values(titles)) expect(title).toMatch(/^[A-Z][^.\n]{5,70}$/);
  });

  it.each(['', 'missing_token', 'NETWORK_ERROR', 'toString', '__proto__', 'constructor', null, 1])(
    'does not take %j for a code of the service',
    (value) => {
      expect(isServiceErrorCode(value)).toBe(false);
    },
  );

  it.each(CODES)('takes %s for a code of the service', (code) => {
    expect(isServiceErrorCode(code)).toBe(true);
  });
});

describe('a problem', () => {
  it.each(CODES)('says of %s what the table says', (code) => {
    const { status, recoverable } = SERVICE_ERRORS[code];
    const title = SERVICE_ERROR_TITLES[code];
    expect(problemOf(code, { requestId: 'r1' })).toEqual({
      type: `urn:sluice:error:${code}`,
      title,
      ...(status === null ? {} : { status }),
      code,
      recoverable,
      requestId: 'r1',
    });
  });

  it('leaves out what it does not know', () => {
    const plain = problemOf('SLOW_CONSUMER', { requestId: 'r1' });
    expect(Object.keys(plain)).toEqual(['type', 'title', 'code', 'recoverable', 'requestId']);
  });

  it('keeps a detail and a delay of nothing', () => {
    expect(
      problemOf('UNAVAILABLE', { requestId: 'r1', detail: '', retryAfterMs: 0 }),
    ).toMatchObject({ detail: '', retryAfterMs: 0 });
  });
});
