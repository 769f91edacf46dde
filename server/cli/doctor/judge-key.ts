import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { mayVerify, verificationKey } from '../../gate/token/verification-key.js';

/** A member of a JWK set, as the gate sees it. */
export interface JudgedKey {
  readonly kid: string | null;
  /** `RSA 2048`, `EC P-256`, or what it says it is. */
  readonly kind: string;
  /** What it may verify; none where it is of no use. */
  readonly algorithms: readonly string[];
  /** Why it is of no use. */
  readonly fault: string | null;
  readonly isPrivate: boolean;
  readonly isForSignatures: boolean;
}

/** RFC 7518, section 6: what only the holder of a key may know. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'];

export function judgeKey(member: unknown): JudgedKey {
  if (typeof member !== 'object' || member === null || Array.isArray(member)) {
    return { ...NOTHING, kind: 'no key', fault: 'it is not an object' };
  }
  const jwk = member as Readonly<Record<string, unknown>>;
  const kid = typeof jwk['kid'] === 'string' && jwk['kid'] !== '' ? jwk['kid'] : null;
  const isPrivate =
    PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name)) ||
    (jwk['kty'] === 'oct' && Object.hasOwn(jwk, 'k'));
  const base = { ...NOTHING, kid, isPrivate, kind: textOf(jwk['kty']) };
  if (jwk['kty'] === 'oct') return { ...base, fault: 'a shared secret has no place in a JWKS' };
  try {
    const publicKey = { key: publicPart(jwk), format: 'jwk' as const };
    const kind = kindOf(publicKey);
    const alg = typeof jwk['alg'] === 'string' ? jwk['alg'] : undefined;
    const found = verificationKey(publicKey, alg);
    const judged = { ...base, kind, isForSignatures: mayVerify(jwk) };
    if (kid === null) return { ...judged, fault: 'it has no kid, by which keys are looked up' };
    if (!judged.isForSignatures)
      return { ...judged, fault: 'it is not for signatures (use, key_ops)' };
    if (found === null) return { ...judged, fault: whyNone(kind, alg) };
    return { ...judged, algorithms: found.algorithms };
  } catch {
    return { ...base, fault: 'it cannot be read' };
  }
}

const NOTHING: JudgedKey = {
  kid: null,
  kind: 'unknown',
  algorithms: [],
  fault: null,
  isPrivate: false,
  isForSignatures: false,
};

function textOf(kind: unknown): string {
  return typeof kind === 'string' ? kind : 'unknown';
}

function publicPart(jwk: Readonly<Record<string, unknown>>): JsonWebKey {
  return Object.fromEntries(
    Object.entries(jwk).filter(([name]) => !PRIVATE_MEMBERS.includes(name)),
  );
}

function kindOf(input: { key: JsonWebKey; format: 'jwk' }): string {
  const { asymmetricKeyType = '', asymmetricKeyDetails: details = {} } = createPublicKey(input);
  const size = details.modulusLength ?? details.namedCurve;
  return `${asymmetricKeyType.toUpperCase()}${size === undefined ? '' : ` ${size}`}`;
}

function whyNone(kind: string, alg: string | undefined): string {
  const bits = Number(/^RSA (\d+)$/.exec(kind)?.[1]);
  if (bits < 2_048) return `${bits} bits are too weak, 2048 is the least`;
  if (bits > 8_192) return `${bits} bits are more than 8192`;
  return `its "alg" is ${alg ?? 'missing'}, which it cannot be used for here`;
}
