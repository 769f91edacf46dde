import { generateKeyPair, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import jsonwebtoken, { type Algorithm, type JwtPayload, type SignOptions } from 'jsonwebtoken';

export type SigningAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA' | 'Ed25519';

/** A key of the tests' issuer. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As it stands in the JWKS. */
  readonly jwk: JsonWebKey;
}

export interface Jwks {
  readonly keys: readonly JsonWebKey[];
}

const generate = promisify(generateKeyPair);
let keysMade = 0;

/** Makes a key; `modulusLength` is for RSA keys that are too short to be accepted. */
export async function createSigningKey(
  algorithm: SigningAlgorithm = 'ES256',
  options: { kid?: string; modulusLength?: number } = {},
): Promise<SigningKey> {
  const { privateKey, publicKey } = await generatePair(algorithm, options.modulusLength);
  const kid = options.kid ?? `test-key-${++keysMade}`;
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm };
  return { kid, algorithm, privateKey, publicKey, jwk };
}

function generatePair(algorithm: SigningAlgorithm, modulusLength = 2048) {
  if (isEdwards(algorithm)) return generate('ed25519', {});
  return algorithm.startsWith('ES')
    ? generate('ec', { namedCurve: algorithm === 'ES384' ? 'P-384' : 'P-256' })
    : generate('rsa', { modulusLength });
}

/** Ed25519 by either of its names (RFC 8037, RFC 9864). */
function isEdwards(algorithm: SigningAlgorithm): boolean {
  return algorithm === 'EdDSA' || algorithm === 'Ed25519';
}

/** Claims by name; `undefined` leaves a claim out. */
export type Claims = Readonly<Record<string, unknown>>;

export interface MintOptions {
  /** The issuer's first key by default. */
  readonly key?: SigningKey;
  /** Members of the header beside `alg`, `typ` and `kid`. */
  readonly header?: Readonly<Record<string, unknown>>;
}

/** An identity provider that answers for itself: its keys are in `jwks()`, its tokens come from `mint()`. */
export interface TestIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** The keys that are published now, the current one first; a test may change the list. */
  readonly keys: SigningKey[];
  jwks(): Jwks;
  /** A token of alice for the workspace `acme` that may subscribe and publish, unless `claims` say otherwise. */
  mint(claims?: Claims, options?: MintOptions): string;
  /** Settings under which the service accepts these tokens. */
  settings(jwksUri: string): Record<string, string>;
}

export async function createTestIssuer(
  options: { algorithm?: SigningAlgorithm; issuer?: string; audience?: string } = {},
): Promise<TestIssuer> {
  const issuer = options.issuer ?? 'https://issuer.test';
  const audience = options.audience ?? 'sluice-test';
  const keys = [await createSigningKey(options.algorithm)];
  return {
    issuer,
    audience,
    keys,
    jwks: () => ({ keys: keys.map(({ jwk }) => jwk) }),
    mint: (claims = {}, { key = keys[0], header = {} } = {}) => {
      if (key === undefined) throw new Error('the issuer has no key');
      const payload = { ...standardClaims(issuer, audience), ...claims };
      if (isEdwards(key.algorithm)) {
        // jsonwebtoken does not have it.
        const edwardsHeader = { alg: key.algorithm, typ: 'JWT', kid: key.kid, ...header };
        return forge(edwardsHeader, withoutUndefined(payload), key);
      }
      // The bare payload and `noTimestamp`, which would take an `iat` away, leave every claim to the test.
      const signOptions: SignOptions = {
        algorithm: key.algorithm as Algorithm,
        noTimestamp: payload['iat'] === undefined,
        header: { alg: key.algorithm, typ: 'JWT', kid: key.kid, ...header },
      };
      return jsonwebtoken.sign(withoutUndefined(payload), key.privateKey, signOptions);
    },
    settings: (jwksUri) => ({
      JWKS_URI: jwksUri,
      TOKEN_ISSUER: issuer,
      TOKEN_AUDIENCE: audience,
    }),
  };
}

/** Seconds since the epoch, as claims count them. */
export function inSeconds(ahead: number): number {
  return Math.floor(Date.now() / 1000) + ahead;
}

/**
 * A token of any form whatever. Header and payload may be values (written as JSON) or the very bytes; the signature is
 * made with a key, or is given, as text (taken as it is) or as bytes.
 */
export function forge(
  header: unknown,
  payload: unknown,
  signature: SigningKey | Uint8Array | string,
): string {
  const signed = `${segment(header)}.${segment(payload)}`;
  if (typeof signature === 'string') return `${signed}.${signature}`;
  const bytes = signature instanceof Uint8Array ? signature : signBytes(signed, signature);
  return `${signed}.${Buffer.from(bytes).toString('base64url')}`;
}

/** The signature of `text` as a JWS carries it. */
export function signBytes(text: string, key: SigningKey): Uint8Array {
  const hash = key.algorithm === 'ES384' ? 'sha384' : 'sha256';
  const { privateKey } = key;
  if (isEdwards(key.algorithm)) return sign(null, Buffer.from(text), privateKey);
  if (key.algorithm === 'PS256') {
    // 6 is RSA_PKCS1_PSS_PADDING; the salt is as long as the hash (RFC 7518, section 3.5).
    return sign(hash, Buffer.from(text), { key: privateKey, padding: 6, saltLength: 32 });
  }
  return sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
}

function segment(value: unknown): string {
  const bytes =
    value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(JSON.stringify(value));
  return bytes.toString('base64url');
}

function standardClaims(issuer: string, audience: string): JwtPayload {
  return {
    iss: issuer,
    aud: audience,
    sub: 'alice',
    iat: inSeconds(0),
    exp: inSeconds(3600),
    workspace: 'acme',
    permissions: ['realtime:subscribe', 'realtime:publish'],
  };
}

function withoutUndefined(claims: JwtPayload): JwtPayload {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}
