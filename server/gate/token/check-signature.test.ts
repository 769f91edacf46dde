import { createSecretKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createSigningKey,
  forge,
  type SigningAlgorithm,
  type SigningKey,
} from '../../../test/support/tokens.js';
import { checkSignature } from './check-signature.js';

const ALGORITHMS: SigningAlgorithm[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];
const CLAIMS = { sub: 'alice' };
const refused = { code: 'INVALID_TOKEN', message: 'The signature of the token does not hold.' };

const withSignature = (token: string, change: (signature: Buffer) => Uint8Array): string => {
  const [header, payload, signature = ''] = token.split('.');
  const changed = change(Buffer.from(signature, 'base64url'));
  return `${header}.${payload}.${Buffer.from(changed).toString('base64url')}`;
};

describe.each(ALGORITHMS)('a signature by %s', (algorithm) => {
  let key: SigningKey;
  let token: string;
  beforeAll(async () => {
    key = await createSigningKey(algorithm);
    token = forge({ alg: algorithm, kid: key.kid }, CLAIMS, key);
  });

  it('holds with its key', async () => {
    await expect(checkSignature(token, key.publicKey, algorithm)).resolves.toBeUndefined();
  });

  it('does not hold with another key', async () => {
    const { publicKey } = await createSigningKey(algorithm);
    await expect(checkSignature(token, publicKey, algorithm)).rejects.toMatchObject(refused);
  });

  it('does not hold over anything else', async () => {
    const [header, , signature] = token.split('.');
    const other = Buffer.from(JSON.stringify({ sub: 'mallory' })).toString('base64url');
    const forged = `${header}.${other}.${signature}`;
    await expect(checkSignature(forged, key.publicKey, algorithm)).rejects.toMatchObject(refused);
  });

  it.each<[string, (signature: Buffer) => Uint8Array]>([
    ['with a bit flipped', (bytes) => bytes.fill((bytes[9] as number) ^ 1, 9, 10)],
    ['of zeros', (bytes) => bytes.fill(0)],
    ['of ones', (bytes) => bytes.fill(255)],
    ['that is empty', () => Buffer.alloc(0)],
    ['that is cut', (bytes) => bytes.subarray(1)],
    ['that is longer', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
    ['of 8 bytes', () => Buffer.alloc(8, 1)],
  ])('does not hold %s', async (_, change) => {
    const broken = withSignature(token, change);
    await expect(checkSignature(broken, key.publicKey, algorithm)).rejects.toMatchObject(refused);
  });

  it('holds for the algorithm that was asked for alone', async () => {
    for (const other of ALGORITHMS.filter((name) => name !== algorithm)) {
      await expect(checkSignature(token, key.publicKey, other)).rejects.toMatchObject(refused);
    }
  });
});

describe('a signature by a shared secret', () => {
  // The example of RFC 7515, appendix A.1.
  const TOKEN =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const SECRET = Buffer.from(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'base64url',
  );

  it('holds with that secret and no other', async () => {
    await expect(checkSignature(TOKEN, createSecretKey(SECRET), 'HS256')).resolves.toBeUndefined();
    const other = createSecretKey(Buffer.alloc(64, 1));
    await expect(checkSignature(TOKEN, other, 'HS256')).rejects.toMatchObject(refused);
  });
});
