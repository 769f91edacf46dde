import { deflateRawSync } from 'node:zlib';
import type { Setting } from './setting.js';
import { isSafeUrl } from './setting-kinds.js';
import type { SettingReader } from './setting-reader.js';
import { EMBEDDED_ISSUER } from './settings/tokens.js';
import { SETTINGS } from './settings.js';

/** Where the keys of an issuer come from. */
export type KeySource =
  | { readonly kind: 'jwks'; readonly uri: string }
  /** The address of the JWKS stands in the issuer's own metadata (OpenID Connect Discovery, RFC 8414). */
  | { readonly kind: 'discovery' }
  /** A secret shared with whoever makes the tokens, for HS256. */
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'embedded' };

/** Whose tokens are accepted, and for whom they must have been made. */
export interface TrustedIssuer {
  /** `iss`, compared exactly. */
  readonly issuer: string;
  /** What `aud` must be or hold. */
  readonly audience: string;
  readonly keys: KeySource;
}

const MAX_ISSUERS = 20;
/** RFC 7518, section 3.2: a key of the same size as the hash output or larger MUST be used. */
const MIN_SECRET_BYTES = 32;
/** 32 random characters do not get shorter than this by compression; repetitions of a word do. */
const MIN_SECRET_SUBSTANCE = 24;
const MAX_SECRET_BYTES = 4_096;

/** Every issuer that is trusted, the embedded one last. */
export function readTrustedIssuers(read: SettingReader): readonly TrustedIssuer[] {
  const outside = read.isSet(SETTINGS.TOKEN_ISSUERS) ? readList(read) : readSingle(read);
  const isEmbedded = read.value(SETTINGS.ISSUER_ENABLED, String(outside.length === 0));
  if (!isEmbedded) {
    if (outside.length === 0) {
      read.refuse(
        'ISSUER_ENABLED is false and no issuer is named (TOKEN_ISSUER, JWKS_URI, JWT_SECRET or TOKEN_ISSUERS): there would be no keys',
      );
    }
    return outside;
  }
  if (read.isSet(SETTINGS.JWT_SECRET)) {
    read.refuse(
      'ISSUER_ENABLED is true beside JWT_SECRET: whoever knows the secret makes the tokens',
    );
  }
  const isAlone = outside.length === 0;
  const embedded: TrustedIssuer = {
    // Beside others it needs a name of its own: keys are never looked for under somebody else's.
    issuer: isAlone ? read.value(SETTINGS.TOKEN_ISSUER) : EMBEDDED_ISSUER,
    audience: read.value(SETTINGS.TOKEN_AUDIENCE),
    keys: { kind: 'embedded' },
  };
  if (outside.some(({ issuer }) => issuer === embedded.issuer)) {
    read.refuse(`TOKEN_ISSUER names the embedded issuer (${EMBEDDED_ISSUER})`);
  }
  return [...outside, embedded];
}

/** The one issuer that TOKEN_ISSUER, TOKEN_AUDIENCE and one of JWKS_URI and JWT_SECRET describe; none: the embedded one. */
function readSingle(read: SettingReader): TrustedIssuer[] {
  const uri = read.value(SETTINGS.JWKS_URI);
  const hasUri = read.isSet(SETTINGS.JWKS_URI);
  const hasSecret = read.isSet(SETTINGS.JWT_SECRET);
  const issuer = read.value(SETTINGS.TOKEN_ISSUER, '');
  const audience = read.value(SETTINGS.TOKEN_AUDIENCE, '');
  if (hasUri && hasSecret) {
    read.refuse('JWT_SECRET is set beside JWKS_URI: tokens are verified by one or the other');
  }
  const isDiscovered =
    !hasUri &&
    !hasSecret &&
    /^https?:/.test(issuer) &&
    !read.value(SETTINGS.ISSUER_ENABLED, 'false');
  if (!hasUri && !hasSecret && !isDiscovered) return [];

  const cause = hasUri ? 'JWKS_URI is set' : hasSecret ? 'JWT_SECRET is set' : 'TOKEN_ISSUER is';
  for (const setting of [SETTINGS.TOKEN_ISSUER, SETTINGS.TOKEN_AUDIENCE]) {
    const { name } = setting;
    if (!read.isSet(setting))
      read.refuse(`${name} must be set when ${cause}${isDiscovered ? ' an address' : ''}`);
  }
  if (isDiscovered && !isDiscoverable(issuer)) {
    read.refuse(
      'TOKEN_ISSUER must be an https URL without a query to be asked for its keys (http for loopback only)',
    );
  }
  const keys: KeySource = hasSecret
    ? { kind: 'secret', secret: readSecret(read, SETTINGS.JWT_SECRET) }
    : hasUri
      ? { kind: 'jwks', uri: uri ?? '' }
      : { kind: 'discovery' };
  return [{ issuer, audience, keys }];
}

/** A secret that cannot be guessed. */
export function readSecret(read: SettingReader, setting: Setting<string>): string {
  const { name } = setting;
  const secret = read.value(setting);
  if (read.isRefused(setting)) return secret;
  const bytes = Buffer.from(secret);
  if (/-----BEGIN |^\s*[{]|^ssh-/.test(secret)) {
    // A public key taken for a secret is known to everybody (RFC 8725, section 2.1).
    read.refuse(`${name} is a key in PEM, JWK or SSH form, not a shared secret`);
  } else if (
    bytes.length < MIN_SECRET_BYTES ||
    bytes.length > MAX_SECRET_BYTES ||
    deflateRawSync(bytes).length < MIN_SECRET_SUBSTANCE
  ) {
    read.refuse(
      `${name} must be ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes that cannot be guessed; make one with: openssl rand -base64 48`,
    );
  }
  return secret;
}

/** TOKEN_ISSUERS: `[{"issuer": "https://id.example", "audience": "sluice", "jwksUri": "https://id.example/jwks"}]` */
function readList(read: SettingReader): TrustedIssuer[] {
  for (const setting of [SETTINGS.TOKEN_ISSUER, SETTINGS.JWKS_URI, SETTINGS.JWT_SECRET]) {
    if (read.isSet(setting))
      read.refuse(`${setting.name} is set beside TOKEN_ISSUERS: name all issuers there`);
  }
  const entries = parseList(read.value(SETTINGS.TOKEN_ISSUERS));
  const issuers = (entries ?? []).map(readEntry);
  if (entries === null || entries.length === 0 || entries.length > MAX_ISSUERS) {
    read.refuse(`TOKEN_ISSUERS must be a JSON list of 1 to ${MAX_ISSUERS} issuers`);
  }
  for (const [index, issuer] of issuers.entries()) {
    if (issuer === null) {
      read.refuse(
        `TOKEN_ISSUERS: entry ${index + 1} is not {"issuer", "audience", "jwksUri"} of texts; addresses must be https (http for loopback only), and "jwksUri" may be left out where "issuer" is one`,
      );
    }
  }
  const named = issuers.filter((issuer) => issuer !== null);
  if (new Set(named.map(({ issuer }) => issuer)).size < named.length) {
    read.refuse('TOKEN_ISSUERS names an issuer twice');
  }
  return named;
}

function parseList(text: string): unknown[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function readEntry(value: unknown): TrustedIssuer | null {
  if (typeof value !== 'object' || value === null) return null;
  const { issuer, audience, jwksUri, ...rest } = value as Record<string, unknown>;
  const isText = (item: unknown): item is string => typeof item === 'string' && item !== '';
  if (!isText(issuer) || !isText(audience) || Object.keys(rest).length > 0) return null;
  if (jwksUri === undefined) {
    return isDiscoverable(issuer) ? { issuer, audience, keys: { kind: 'discovery' } } : null;
  }
  return isText(jwksUri) && isSafeUrl(jwksUri)
    ? { issuer, audience, keys: { kind: 'jwks', uri: new URL(jwksUri).href } }
    : null;
}

/** OpenID Connect Discovery 1.0, section 3, and RFC 8414, section 2: no query and no fragment. */
function isDiscoverable(issuer: string): boolean {
  return isSafeUrl(issuer) && !issuer.includes('?');
}
