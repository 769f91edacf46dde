import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { RealtimeError, withRetry } from './errors.js';

describe('a RealtimeError', () => {
  it('says what the table of codes says, unless it is told more', () => {
    expect(new RealtimeError('NETWORK_ERROR')).toMatchObject({
      name: 'RealtimeError',
      message: 'The service could not be reached',
      recoverable: true,
      willRetry: false,
    });
    expect(new RealtimeError('TOKEN_PROVIDER_ERROR', { recoverable: false }).recoverable).toBe(
      false,
    );
  });

  it('keeps all it knows when the connection has its say', () => {
    const cause = new Error('why');
    const details = {
      message: 'm',
      status: 503,
      requestId: 'r1',
      retryAfterMs: 7,
      recoverable: false,
    };
    const error = withRetry(new RealtimeError('UNAVAILABLE', { ...details, cause }), true);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', ...details, willRetry: true });
    expect(error.cause).toBe(cause);
  });

  it('goes into JSON with its message, and without stack and cause', () => {
    const error = new RealtimeError('FORBIDDEN', {
      message: 'no',
      status: 403,
      cause: new Error('why'),
    });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'RealtimeError',
      message: 'no',
      code: 'FORBIDDEN',
      recoverable: false,
      willRetry: false,
      status: 403,
    });
    expect(inspect(error)).toMatch(/^RealtimeError: no/);
  });

  it('is recognised by its shape, also when another copy of the package made it', () => {
    expect(RealtimeError.isRealtimeError(new RealtimeError('CLOSED'))).toBe(true);
    const foreign = Object.assign(new Error(), { name: 'RealtimeError', code: 'CLOSED' });
    expect(RealtimeError.isRealtimeError(foreign)).toBe(true);
    for (const other of [
      null,
      'CLOSED',
      new Error(),
      { name: 'RealtimeError', code: 'toString' },
    ]) {
      expect(RealtimeError.isRealtimeError(other)).toBe(false);
    }
  });

  it('is asked for its code, also by the older name of one', () => {
    const error = new RealtimeError('AUTH_ERROR');
    expect(error.isCode('AUTH_FAILED')).toBe(true);
    expect(error.isCode('FORBIDDEN', 'AUTH_ERROR')).toBe(true);
    expect(error.isCode('FORBIDDEN')).toBe(false);
    expect(error.isCode()).toBe(false);
  });
});
