import { SluiceError } from '../errors.js';
import { JsonFault, parseJson } from '../json.js';

/** The parts of a token that were read before its signature was checked. Nothing here may be believed yet. */
export interface CompactJwt {
  readonly algorithm: string;
  readonly keyId: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

const MAX_KEY_ID_LENGTH = 256;
const MAX_DEPTH = 16;
/** Headers that would let a token bring its own key along (RFC 8725, section 3.10). */
const KEY_CARRIERS = ['jku', 'jwk', 'x5u', 'x5c'];
/** RFC 8725, section 3.11: a token made for something else must not pass for an access token. */
const ACCESS_TOKEN_TYPES = ['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt'];

/**
 * Reads the compact form (RFC 7515, section 7.1) more strictly than jsonwebtoken does: exactly three segments of
 * canonical base64url, each JSON an object in which no name stands twice.
 * @throws SluiceError INVALID_TOKEN
 */
export function readCompactJwt(token: string, algorithms: readonly string[]): CompactJwt {
  const segments = token.split('.');
  if (segments.length !== 3) throw invalid('The token is not a signed JWT of three segments.');
  const [header, payload, signature] = segments.map(decodeSegment) as [Buffer, Buffer, Buffer];
  if (signature.length === 0) throw invalid('The token has no signature.');
  return {
    ...readHeader(readObject(header, 'header'), algorithms),
    payload: readObject(payload, 'payload'),
  };
}

function readHeader(header: Record<string, unknown>, algorithms: readonly string[]) {
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || !algorithms.includes(alg)) {
    throw invalid('The algorithm of the token is not accepted here.');
  }
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KEY_ID_LENGTH) {
    throw invalid('The token names no key.');
  }
  if (typ !== undefined && !(typeof typ === 'string' && isAccessToken(typ))) {
    throw invalid('The token is not of the type of an access token.');
  }
  // RFC 7515, section 4.1.11: extensions that are not understood make the token invalid, and none is understood here.
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) {
    throw invalid('The token uses an extension that is not supported.');
  }
  if (KEY_CARRIERS.some((name) => Object.hasOwn(header, name))) {
    throw invalid('The token brings its own key.');
  }
  return { algorithm: alg, keyId: kid };
}

function isAccessToken(typ: string): boolean {
  return ACCESS_TOKEN_TYPES.includes(typ.toLowerCase());
}

function decodeSegment(segment: string): Buffer {
  const bytes = Buffer.from(segment, 'base64url');
  // Node also decodes padding, the other alphabet and loose bits, each of which would be a second form of one token.
  if (bytes.toString('base64url') !== segment) throw invalid('The token is not in base64url.');
  return bytes;
}

function readObject(bytes: Buffer, part: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(bytes, { maxDepth: MAX_DEPTH });
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
