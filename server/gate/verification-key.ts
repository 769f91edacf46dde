import { createPublicKey, type KeyObject } from 'node:crypto';

/** A member of a JWK set (RFC 7517) as it came from outside. */
export type Jwk = Readonly<Record<string, unknown>>;

/** A key that may verify tokens, with the algorithms it may be used for. */
export interface VerificationKey {
  readonly keyId: string;
  readonly key: KeyObject;
  readonly algorithms: readonly string[];
}

const RSA_ALGORITHMS = ['RS256', 'PS256'];
const EC_ALGORITHMS: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384' };
/** RFC 7518, section 3.3: a key of size 2048 bits or larger MUST be used. */
const MIN_RSA_BITS = 2_048;

/** Whether a JWK may verify signatures by what it says of itself (RFC 7517, sections 4.2 to 4.5). */
export function mayVerify(jwk: Jwk): boolean {
  const { kid, use, key_ops: operations } = jwk;
  return (
    typeof kid === 'string' &&
    kid !== '' &&
    (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify')))
  );
}

/** The key, pinned to the algorithms that its kind and its own `alg` leave; `null` if none is left. */
export function verificationKey(
  keyId: string,
  publicKeyPem: string,
  ownAlgorithm: string | undefined,
): VerificationKey | null {
  const key = createPublicKey(publicKeyPem);
  const algorithms = algorithmsOf(key).filter(
    (algorithm) => ownAlgorithm === undefined || algorithm === ownAlgorithm,
  );
  return algorithms.length === 0 ? null : { keyId, key, algorithms };
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return modulusLength >= MIN_RSA_BITS ? RSA_ALGORITHMS : [];
  const algorithm = key.asymmetricKeyType === 'ec' ? EC_ALGORITHMS[namedCurve] : undefined;
  return algorithm === undefined ? [] : [algorithm];
}
