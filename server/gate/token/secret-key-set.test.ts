import { describe, expect, it } from '@jest/globals';
import { SecretKeySet } from './secret-key-set.js';

const keys = new SecretKeySet('a secret of the tests, long enough');

describe('a shared secret', () => {
  it.each([null, 'any'])('is for HS256, whatever key is named (%j)', async (keyId) => {
    const { key } = await keys.find({ keyId, algorithm: 'HS256' });
    expect(key.export().toString()).toBe('a secret of the tests, long enough');
  });

  it.each(['RS256', 'ES256', 'EdDSA', 'HS512', 'none'])('is not for %s', async (algorithm) => {
    const found = keys.find({ keyId: null, algorithm });
    await expect(found).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('stays the same key', async () => {
    const question = { keyId: null, algorithm: 'HS256' };
    expect(await keys.find(question)).toBe(await keys.find(question));
  });
});
