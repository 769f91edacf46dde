import type { TokenRules } from '../../config.js';
import { deepFreeze } from '../../deep-freeze.js';
import { SluiceError } from '../../errors.js';
import { JsonFault, parseJson } from '../../json.js';

/** The parts of a token that were read before its signature was checked. Nothing here may be believed yet. */
export interface CompactJwt {
  readonly algorithm: string;
  /** `null` where it names no key. */
  readonly keyId: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Keys are looked up by it, so it is a name and nothing else (RFC 8725, section 3.10). */
const KEY_ID = /^[\x20-\x7e]{1,256}$/;
const MAX_HEADER_BYTES = 2_048;
const MAX_HEADER_DEPTH = 4;
const MAX_PAYLOAD_DEPTH = 16;
/** Headers that would let a token bring its own key along (RFC 8725, section 3.10). */
const KEY_CARRIERS = ['jku', 'jwk', 'x5u', 'x5c'];
/** RFC 7515, section 4.1.11: extensions that are not understood make the token invalid, and none is understood here. */
const EXTENSIONS = ['crit', 'b64'];
/** Headers of encrypted tokens (RFC 7516, section 4.1): whoever takes it for one reads something else in it. */
const ENCRYPTION = ['enc', 'zip', 'epk', 'p2c', 'p2s'];
/** RFC 9068, section 4: the value that marks an access token, and the same as a whole media type. */
const ACCESS_TOKEN_TYPES = ['at+jwt', 'application/at+jwt'];
const JWT_TYPES = ['jwt', 'application/jwt'];

/**
 * Reads the compact form (RFC 7515, section 7.1) more strictly than jsonwebtoken does: exactly three segments of
 * canonical base64url, each JSON an object in which no name stands twice.
 * @throws SluiceError INVALID_TOKEN
 */
export function readCompactJwt(
  token: string,
  rules: Pick<TokenRules, 'requiresAccessTokenType'>,
): CompactJwt {
  const segments = token.split('.');
  if (segments.length !== 3) throw invalid('The token is not a signed JWT of three segments.');
  const [header, payload, signature] = segments.map(decodeSegment) as [Buffer, Buffer, Buffer];
  if (signature.length === 0) throw invalid('The token has no signature.');
  if (header.length > MAX_HEADER_BYTES) throw invalid("The token's header is too large.");
  return {
    ...readHeader(readObject(header, 'header', MAX_HEADER_DEPTH), rules.requiresAccessTokenType),
    payload: deepFreeze(readObject(payload, 'payload', MAX_PAYLOAD_DEPTH)),
  };
}

function readHeader(header: Record<string, unknown>, requiresAccessTokenType: boolean) {
  const has = (name: string) => Object.hasOwn(header, name);
  if (EXTENSIONS.some(has)) throw invalid('The token uses an extension that is not supported.');
  if (KEY_CARRIERS.some(has)) throw invalid('The token brings its own key.');
  if (ENCRYPTION.some(has)) throw invalid('The token is not a signed one alone.');
  const { alg, kid, typ, cty } = header;
  if (typeof alg !== 'string') throw invalid('The token names no algorithm.');
  if (!isAcceptedType(typ, requiresAccessTokenType)) {
    throw invalid('The token is not of the type of an access token.');
  }
  // RFC 7519, section 5.2: such a token holds another one, whose claims are not the ones that are read here.
  if (cty !== undefined && (typeof cty !== 'string' || JWT_TYPES.includes(cty.toLowerCase()))) {
    throw invalid('The token is a nested one.');
  }
  return { algorithm: alg, keyId: readKeyId(kid) };
}

function readKeyId(kid: unknown): string | null {
  if (kid === undefined) return null;
  if (typeof kid === 'string' && KEY_ID.test(kid) && !kid.includes('..') && !isInherited(kid)) {
    return kid;
  }
  throw invalid("The token's key is not named plainly.");
}

/** Whether every object has it, such as `__proto__`. */
function isInherited(name: string): boolean {
  return name in Object.prototype;
}

/** RFC 8725, section 3.11: a token made for something else must not pass for an access token. */
function isAcceptedType(typ: unknown, requiresAccessTokenType: boolean): boolean {
  if (typ === undefined) return !requiresAccessTokenType;
  if (typeof typ !== 'string') return false;
  const type = typ.toLowerCase();
  return (
    ACCESS_TOKEN_TYPES.includes(type) || (!requiresAccessTokenType && JWT_TYPES.includes(type))
  );
}

function decodeSegment(segment: string): Buffer {
  const bytes = Buffer.from(segment, 'base64url');
  // Node also decodes padding, the other alphabet and loose bits, each of which would be a second form of one token.
  if (bytes.toString('base64url') !== segment) throw invalid('The token is not in base64url.');
  return bytes;
}

function readObject(bytes: Buffer, part: string, maxDepth: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(bytes, { maxDepth });
  } catch (error) {
    if (error instanceof JsonFault) throw invalid(`The token's ${part} ${error.message}.`);
    throw error;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`The token's ${part} is not a JSON object.`);
  }
  return value as Record<string, unknown>;
}

function invalid(detail: string): SluiceError {
  return new SluiceError('INVALID_TOKEN', detail);
}
