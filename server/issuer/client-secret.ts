import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

const SECRET_BYTES = 32;
/** By it `sluice scrub` and other searches know a secret wherever it stands. Those made before it had none are as good. */
const SECRET_PREFIX = 'scs_';
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
  return SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
}

/**
 * @param like another secret's hash, with which the new one shall share its work: one derivation is then enough to
 *   compare with both. What a salt is against, tables of guesses, is nothing against random secrets.
 */
export async function hashSecret(secret: string, like?: string): Promise<string> {
  const work = workOf(like ?? formatHash(randomBytes(SALT_BYTES), Buffer.alloc(HASH_BYTES)));
  return `${work.prefix}$${(await derive(secret, work)).toString('base64url')}`;
}

/** Whether one derivation is enough to compare with each of them. */
export function shareWork(hashes: readonly string[]): boolean {
  return new Set(hashes.map((hash) => workOf(hash).prefix)).size <= 1;
}

export function isSecretHash(value: unknown): value is string {
  return typeof value === 'string' && HASH.test(value);
}

/**
 * Whether one of `hashes` was made of `secret`. They must be hashes that share their work. How many there are makes no
 * difference in time that could be told over a network.
 */
export async function matchesSecret(
  secret: string,
  hashes: readonly [string, ...string[]],
): Promise<boolean> {
  const derived = await derive(secret, workOf(hashes[0]));
  // All are compared, whichever matches.
  const matches = hashes.map((hash) => timingSafeEqual(derived, workOf(hash).expected));
  return matches.includes(true);
}

/** What it takes to derive a hash. */
interface Work {
  readonly log2Cost: number;
  readonly blockSize: number;
  readonly parallelism: number;
  readonly salt: Buffer;
  /** All of these as they stand before the hash. */
  readonly prefix: string;
}

function workOf(hash: string): Work & { readonly expected: Buffer } {
  const [, log2Cost, blockSize, parallelism, salt = '', expected = ''] = HASH.exec(hash) ?? [];
  return {
    log2Cost: Number(log2Cost),
    blockSize: Number(blockSize),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64url'),
    prefix: hash.slice(0, hash.lastIndexOf('$')),
    expected: Buffer.from(expected, 'base64url'),
  };
}

function formatHash(salt: Buffer, hash: Buffer): string {
  const parameters = `ln=${LOG2_COST},r=${BLOCK_SIZE},p=${PARALLELISM}`;
  return `$scrypt$${parameters}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

function derive(secret: string, work: Work): Promise<Buffer> {
  const { blockSize: r, parallelism: p, salt } = work;
  const N = 2 ** work.log2Cost;
  // RFC 7914 needs 128 * r * (N + p) bytes; the small rest is the implementation's own.
  const options = { N, r, p, maxmem: 128 * r * (N + p) + 65_536 };
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, HASH_BYTES, options, (error, hash) => {
      if (error) reject(error);
      else resolve(hash);
    });
  });
}
