import {
  createPublicKey,
  createSecretKey,
  type JsonWebKeyInput,
  type KeyObject,
} from 'node:crypto';
import { SluiceError } from '../../errors.js';

/** A member of a JWK set (RFC 7517) as it came from outside. */
export type Jwk = Readonly<Record<string, unknown>>;

/** A key that may verify tokens, with the algorithms it may be used for. */
export interface VerificationKey {
  readonly key: KeyObject;
  readonly algorithms: readonly string[];
}

/** By `kid`; `null` for a key that was published, but may verify nothing. */
export type KeysById = ReadonlyMap<string, VerificationKey | null>;

/** PEM or JWK. */
export type PublicKeyInput = string | JsonWebKeyInput;

const RSA_ALGORITHMS = ['RS256', 'PS256'];
const EC_ALGORITHMS: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384' };
/** One algorithm by its two names (RFC 8037, section 3.1; RFC 9864, section 2.2). */
const EDWARDS_ALGORITHMS = ['EdDSA', 'Ed25519'];
/** RFC 7518, section 3.3: a key of size 2048 bits or larger MUST be used. */
const MIN_RSA_BITS = 2_048;
/** A larger one makes each signature, good or bad, dear to check. */
const MAX_RSA_BITS = 8_192;
/** With 1 anybody could sign. */
const MIN_RSA_EXPONENT = 3n;

/** Whether a JWK may verify signatures by what it says of itself (RFC 7517, sections 4.2 to 4.5). */
export function mayVerify(jwk: Jwk): boolean {
  const { use, key_ops: operations } = jwk;
  return (
    (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify')))
  );
}

/** The key, pinned to the algorithms that its kind and its own `alg` leave; `null` if none is left. */
export function verificationKey(
  publicKey: PublicKeyInput,
  ownAlgorithm: string | undefined,
): VerificationKey | null {
  const key = createPublicKey(publicKey);
  const algorithms = algorithmsOf(key).filter(
    (algorithm) => ownAlgorithm === undefined || algorithm === ownAlgorithm,
  );
  return algorithms.length === 0 ? null : { key, algorithms };
}

/** A secret that is shared with whoever makes the tokens. It is for HS256, and nothing else is. */
export function secretKey(secret: string): VerificationKey {
  return { key: createSecretKey(secret, 'utf8'), algorithms: ['HS256'] };
}

/** The keys of `now` and no others. A key that was there `before` stays the very same object. */
export function replaceKeys(before: KeysById, now: KeysById): KeysById {
  return new Map(
    [...now].map(([keyId, key]) => {
      const known = before.get(keyId);
      return [keyId, known != null && key !== null && isSameKey(known, key) ? known : key];
    }),
  );
}

function isSameKey(one: VerificationKey, other: VerificationKey): boolean {
  return one.key.equals(other.key) && one.algorithms.join() === other.algorithms.join();
}

/**
 * Gives the key if it is for this algorithm: the token's header says what it likes, the key decides
 * (RFC 8725, section 3.1).
 * @throws SluiceError INVALID_TOKEN
 */
export function pinned(key: VerificationKey | null, algorithm: string): VerificationKey {
  if (key?.algorithms.includes(algorithm)) return key;
  throw new SluiceError('INVALID_TOKEN', 'The key of the token is not for its algorithm.');
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const { namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return isSoundRsa(key) ? RSA_ALGORITHMS : [];
    case 'ec':
      return Object.hasOwn(EC_ALGORITHMS, namedCurve) ? [EC_ALGORITHMS[namedCurve] as string] : [];
    case 'ed25519':
      return EDWARDS_ALGORITHMS;
    default:
      return [];
  }
}

function isSoundRsa({ asymmetricKeyDetails }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {};
  return (
    modulusLength >= MIN_RSA_BITS &&
    modulusLength <= MAX_RSA_BITS &&
    publicExponent >= MIN_RSA_EXPONENT
  );
}
