import { describe, expect, it } from '@jest/globals';
import { type Jwk, mayVerify } from './verification-key.js';

describe('a JWK', () => {
  it.each<Jwk>([
    {},
    { use: 'sig' },
    { key_ops: ['verify'] },
    { use: 'sig', key_ops: ['sign', 'verify'] },
  ])('may verify where it says %j', (jwk) => {
    expect(mayVerify(jwk)).toBe(true);
  });

  it.each<Jwk>([
    { use: 'enc' },
    { use: 'SIG' },
    { use: ['sig'] },
    { use: null },
    { key_ops: [] },
    { key_ops: ['sign'] },
    { key_ops: 'verify' },
    { key_ops: { 0: 'verify' } },
    { use: 'enc', key_ops: ['verify'] },
    { use: 'sig', key_ops: ['encrypt'] },
  ])('may not verify where it says %j', (jwk) => {
    expect(mayVerify(jwk)).toBe(false);
  });
});
