import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { IssuerError } from './issuer-error.js';
import { createPrivateFile, readPrivateFile, versionOfPrivateFile } from './private-file.js';

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
}

/** At least one; the first one signs, and all are published. */
export type SigningKeys = readonly [SigningKey, ...SigningKey[]];

/** The form of keys.json. Several keys have room, so that a rotation can publish the next one before it signs. */
interface KeysFile {
  readonly version: 1;
  readonly keys: readonly {
    readonly kid: string;
    readonly alg: 'RS256';
    readonly createdAt: string;
    readonly privateJwk: JsonWebKey;
  }[];
}

const FILE_VERSION = 1;
const MODULUS_BITS = 2048;
const FILE_NAME = 'keys.json';

/**
 * The keys kept in `folder`; made where there are none yet. Processes that start at once end with the same keys.
 * @throws IssuerError if the file is damaged or open to others. It is never replaced.
 */
export async function openSigningKeys(folder: string): Promise<SigningKeys> {
  const path = join(folder, FILE_NAME);
  let file = await readPrivateFile(path);
  if (file === null) {
    await createPrivateFile(path, await newKeysFile());
    // Read back rather than kept: another process may have been faster.
    file = await readPrivateFile(path);
  }
  try {
    return readKeys(JSON.parse(file?.text ?? ''));
  } catch (error) {
    // The cause is left out on purpose: a parser's message may quote a piece of the key.
    const fault = error instanceof IssuerError ? error.message : 'it is not valid JSON';
    throw new IssuerError(
      `${path} is damaged: ${fault}; restore it, or remove it to start with new keys (tokens issued so far become invalid)`,
    );
  }
}

/** Whether keys are kept in `folder`, usable or not. Makes nothing. */
export async function hasSigningKeys(folder: string): Promise<boolean> {
  return (await versionOfPrivateFile(join(folder, FILE_NAME))) !== null;
}

async function newKeysFile(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS });
  const privateJwk = privateKey.export({ format: 'jwk' });
  const file: KeysFile = {
    version: FILE_VERSION,
    keys: [
      {
        kid: publicJwkOf(privateKey).kid,
        alg: 'RS256',
        createdAt: new Date().toISOString(),
        privateJwk,
      },
    ],
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

function readKeys(value: unknown): SigningKeys {
  const file = value as Partial<KeysFile> | null;
  if (file?.version !== FILE_VERSION) throw new IssuerError('its "version" is not 1');
  const [first, ...others] = Array.isArray(file.keys) ? file.keys.map(readKey) : [];
  if (first === undefined) throw new IssuerError('it has no keys');
  return [first, ...others];
}

function readKey(value: unknown, index: number): SigningKey {
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
