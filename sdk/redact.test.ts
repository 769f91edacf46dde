import { describe, expect, it } from '@jest/globals';
import { redact, redactedCause } from './redact.js';

describe('redaction', () => {
  it('takes out the secrets that are known, everywhere', () => {
    expect(redact('a s1 b s2 c s1', ['s1', 's2'])).toBe('a [redacted] b [redacted] c [redacted]');
    expect(redact('a', [''])).toBe('a');
  });

  it.each([
    ['no eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0. here', 'no [redacted] here'],
    ['eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln-_8', '[redacted]'],
    ['authorization: Bearer 0123456789abcdef==', 'authorization: Bearer [redacted]'],
    ['authorization: Basic MDEyMzQ1Njc4OWFiY2RlZg==', 'authorization: Basic [redacted]'],
    ['Bearer tokens are none', 'Bearer tokens are none'],
  ])('takes out of %j what looks like a token', (text, safe) => {
    expect(redact(text, [])).toBe(safe);
  });

  it('keeps the chain of causes, as far as it is of use', () => {
    const inner = Object.assign(new Error('s1 inside'), { code: 'E-s1', request: 's1' });
    const safe = redactedCause(new TypeError('s1 outside', { cause: inner }), ['s1']);
    expect(safe).toMatchObject({ name: 'TypeError', message: '[redacted] outside' });
    expect(safe.cause).toMatchObject({ message: '[redacted] inside', code: 'E-[redacted]' });
    expect(safe.cause).not.toHaveProperty('request');
    expect(redactedCause('s1 thrown', ['s1']).message).toBe('[redacted] thrown');
  });

  const hostile = (): never => {
    throw new Error('s1 from within');
  };
  it.each<[string, unknown]>([
    ['an object that is no text', Object.create(null)],
    ['an object that does not want to be one', { toString: hostile }],
    ['a stack that is no text', { message: 's1', stack: Object.create(null) }],
    ['a message that throws', Object.defineProperty({}, 'message', { get: hostile })],
    ['a cause that throws', { message: 's1', cause: { toString: hostile } }],
    ['a proxy that refuses', new Proxy({}, { get: hostile })],
  ])('has no more to say of %s than that', (_, thrown) => {
    const { message, cause } = redactedCause(thrown, ['s1']);
    expect([message, cause]).toEqual(['What was thrown could not be read', undefined]);
  });

  it('takes over a stack that was made an array', () => {
    const before = Error.prepareStackTrace;
    Error.prepareStackTrace = (_, calls) => calls;
    try {
      const safe = redactedCause(new Error('s1'), ['s1']);
      expect(safe.message).toBe('[redacted]');
      expect(typeof safe.stack).toBe('string');
    } finally {
      Error.prepareStackTrace = before;
    }
  });
});
