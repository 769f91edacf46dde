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
});
