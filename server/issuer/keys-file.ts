import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { IssuerError } from './issuer-error.js';

/** A public key as the JWKS publishes it (RFC 7517). */
export interface PublicJwk {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
  readonly use: 'sig';
  readonly alg: 'RS256';
  readonly kid: string;
}

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicJwk: PublicJwk;
  readonly createdAtMs: number;
  /** It is published before, so that whoever keeps the keys for a while knows it in time. */
  readonly signsFromMs: number;
}

/** In the order in which they sign. */
export type SigningKeys = readonly [SigningKey, ...SigningKey[]];

/** The form of keys.json. Version 1, which is still read, had no `signsFrom`: its first key signed. */
interface KeysFile {
  readonly version: 1 | 2;
  readonly keys: readonly {
    readonly kid: string;
    readonly alg: 'RS256';
    readonly createdAt: string;
    readonly signsFrom: string;
    readonly privateJwk: JsonWebKey;
  }[];
}

/** Tokens name one of them, and everybody who verifies tokens holds all. */
export const MAX_KEYS = 10;

const FILE_VERSION = 2;
const MODULUS_BITS = 2048;

/** A new key, which signs at once. */
export async function createSigningKey(): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS });
  const createdAtMs = Date.now();
  return {
    privateKey,
    publicJwk: publicJwkOf(privateKey),
    createdAtMs,
    signsFromMs: createdAtMs,
  };
}

/** The key that signs now: the last one whose time has come. If the clock was put back before all of them, the first. */
export function signingKeyOf(keys: SigningKeys, nowMs: number): SigningKey {
  return keys.findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? keys[0];
}

export function writeKeys(keys: readonly SigningKey[]): string {
  const file: KeysFile = {
    version: FILE_VERSION,
    keys: keys.map(({ privateKey, publicJwk: { kid, alg }, createdAtMs, signsFromMs }) => ({
      kid,
      alg,
      createdAt: new Date(createdAtMs).toISOString(),
      signsFrom: new Date(signsFromMs).toISOString(),
      privateJwk: privateKey.export({ format: 'jwk' }),
    })),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws IssuerError if the text is damaged. */
export function readKeys(path: string, text: string): SigningKeys {
  try {
    return readFile(JSON.parse(text));
  } catch (error) {
    // The cause is left out on purpose: a parser's message may quote a piece of the key.
    const fault = error instanceof IssuerError ? error.message : 'it is not valid JSON';
    throw new IssuerError(
      `${path} is damaged: ${fault}; restore it, or remove it to start with new keys (tokens issued so far become invalid)`,
    );
  }
}

function readFile(value: unknown): SigningKeys {
  const file = value as Partial<KeysFile> | null;
  if (file?.version !== 1 && file?.version !== FILE_VERSION) {
    throw new IssuerError(`its "version" is not ${FILE_VERSION}`);
  }
  const entries = Array.isArray(file.keys) ? file.keys : [];
  if (entries.length > MAX_KEYS) throw new IssuerError(`it has more than ${MAX_KEYS} keys`);
  const read = file.version === 1 ? readOldKey : readKey;
  const [first, ...others] = entries
    .map(read)
    .sort((one, other) => one.signsFromMs - other.signsFromMs);
  if (first === undefined) throw new IssuerError('it has no keys');
  const keys: SigningKeys = [first, ...others];
  if (new Set(keys.map(({ publicJwk }) => publicJwk.kid)).size < keys.length) {
    throw new IssuerError('it has a key twice');
  }
  return keys;
}

function readKey(value: unknown, index: number): SigningKey {
  const { signsFrom, createdAt } = (value ?? {}) as Partial<KeysFile['keys'][number]>;
  return {
    ...readPair(value, index),
    createdAtMs: readTime(createdAt, index),
    signsFromMs: readTime(signsFrom, index),
  };
}

/** Of a file of version 1: the first key signs, and whatever stands behind it came before. */
function readOldKey(value: unknown, index: number): SigningKey {
  const { createdAt } = (value ?? {}) as Partial<KeysFile['keys'][number]>;
  const pair = readPair(value, index);
  const createdAtMs = readTime(createdAt, index);
  return { ...pair, createdAtMs, signsFromMs: index === 0 ? createdAtMs : 0 };
}

function readPair(value: unknown, index: number): Pick<SigningKey, 'privateKey' | 'publicJwk'> {
  const entry = value as Partial<KeysFile['keys'][number]> | null;
  const privateKey = readPrivateKey(entry?.privateJwk);
  if (entry?.alg !== 'RS256' || privateKey === null) {
    throw new IssuerError(`key ${index + 1} is not a private RSA key for RS256`);
  }
  const publicJwk = publicJwkOf(privateKey);
  if (entry.kid !== publicJwk.kid) {
    throw new IssuerError(`the "kid" of key ${index + 1} is not the key's thumbprint`);
  }
  return { privateKey, publicJwk };
}

function readTime(value: unknown, index: number): number {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) throw new IssuerError(`a time of key ${index + 1} is not one`);
  return time;
}

function readPrivateKey(privateJwk: JsonWebKey | undefined): KeyObject | null {
  try {
    const key = createPrivateKey({ format: 'jwk', key: privateJwk ?? {} });
    const isRsa = key.asymmetricKeyType === 'rsa';
    return isRsa && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MODULUS_BITS ? key : null;
  } catch {
    return null;
  }
}

function publicJwkOf(privateKey: KeyObject): PublicJwk {
  const { n = '', e = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return { kty: 'RSA', n, e, use: 'sig', alg: 'RS256', kid: thumbprint(n, e) };
}

/** RFC 7638, section 3: the required members alone, in the order of their names, without white space. */
function thumbprint(n: string, e: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url');
}
