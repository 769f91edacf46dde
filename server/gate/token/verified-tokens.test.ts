import { describe, expect, it } from '@jest/globals';
import { VerifiedTokens } from './verified-tokens.js';

describe('the tokens that were verified', () => {
  it('are known again, with what was found out', () => {
    const verified = new VerifiedTokens<{ name: string }>();
    verified.add('a.b.c', { name: 'alice' }, 5, 60_000);
    expect(verified.has('a.b.c')).toBe(true);
    expect(verified.get('a.b.c')).toEqual({ name: 'alice' });
    expect(verified.has('a.b.d')).toBe(false);
    expect(verified.get('a.b.d')).toBeUndefined();
  });

  it('are forgotten when their time is over', async () => {
    const verified = new VerifiedTokens<object>();
    verified.add('a.b.c', {}, 5, 0.5);
    verified.add('d.e.f', {}, 5, 60_000);
    // The time is the subject here.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(verified.has('a.b.c')).toBe(false);
    expect(verified.get('a.b.c')).toBeUndefined();
    expect(verified.has('d.e.f')).toBe(true);
  });

  it.each([
    ['number', { maxTokens: 10 }],
    ['size', { maxCharacters: 100 }],
  ])('are bounded in %s; the longest unused ones go first', (_, bounds) => {
    const verified = new VerifiedTokens<object>(bounds);
    const tokens = Array.from({ length: 100 }, (__, n) => `token-${String(n).padStart(4, '0')}`);
    for (const token of tokens) {
      verified.add(token, {}, token.length, 60_000);
      verified.get('token-0000');
    }
    const known = tokens.filter((token) => verified.has(token));
    expect(known).toHaveLength(10);
    expect(known).toContain('token-0000');
    expect(known).toContain('token-0099');
  });
});
