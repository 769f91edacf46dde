import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

const SECRET_BYTES = 32;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
// A secret of 256 random bits cannot be guessed, however cheap the hash; these cost 16 MB and some 40 ms a check.
const LOG2_COST = 14;
const BLOCK_SIZE = 8;
const PARALLELISM = 1;

// The PHC string format: $scrypt$ln=14,r=8,p=1$<salt>$<hash>. The bounds keep a damaged file from costing gigabytes.
const HASH =
  /^\$scrypt\$ln=(1[0-7]),r=([1-8]),p=([1-4])\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

/** No secret has this hash; checking against it costs what checking against a real one costs. */
export const UNMATCHABLE_HASH = formatHash(Buffer.alloc(SALT_BYTES), Buffer.alloc(HASH_BYTES));

export function createSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return formatHash(salt, await derive(secret, salt, LOG2_COST, BLOCK_SIZE, PARALLELISM));
}

export function isSecretHash(value: unknown): value is string {
  return typeof value === 'string' && HASH.test(value);
}

/** Whether `hash` was made of `secret`; `hash` must be one. */
export async function matchesSecret(secret: string, hash: string): Promise<boolean> {
  const [, log2Cost, blockSize, parallelism, salt = '', expected = ''] = HASH.exec(hash) ?? [];
  const derived = await derive(
    secret,
    Buffer.from(salt, 'base64url'),
    Number(log2Cost),
    Number(blockSize),
    Number(parallelism),
  );
  return timingSafeEqual(derived, Buffer.from(expected, 'base64url'));
}

function formatHash(salt: Buffer, hash: Buffer): string {
  const parameters = `ln=${LOG2_COST},r=${BLOCK_SIZE},p=${PARALLELISM}`;
  return `$scrypt$${parameters}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

function derive(
  secret: string,
  salt: Buffer,
  log2Cost: number,
  r: number,
  p: number,
): Promise<Buffer> {
  const N = 2 ** log2Cost;
  // RFC 7914 needs 128 * r * (N + p) bytes; the small rest is the implementation's own.
  const options = { N, r, p, maxmem: 128 * r * (N + p) + 65_536 };
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, HASH_BYTES, options, (error, hash) => {
      if (error) reject(error);
      else resolve(hash);
    });
  });
}
