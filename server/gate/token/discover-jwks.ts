import { fetchJson } from '../fetch-json.js';
import { fetchJwks } from './fetch-jwks.js';

const DEADLINE_MS = 5_000;
const MAX_BYTES = 262_144;

/**
 * Reads the JWK set of an issuer whose name is its address: first its metadata, which say where the keys are, then the
 * keys, within one deadline. The metadata are read each time, since the address may change as the keys do.
 */
export async function discoverJwks(
  issuer: string,
  deadlineMs = DEADLINE_MS,
): Promise<{ keys: unknown }> {
  const endsAt = performance.now() + deadlineMs;
  const leftMs = () => Math.max(1, Math.ceil(endsAt - performance.now()));
  const metadata =
    (await readMetadata(openidConfigurationOf(issuer), leftMs())) ??
    (await readMetadata(authorizationServerOf(issuer), leftMs()));
  if (metadata === null) throw new Error('the issuer publishes no metadata');
  return fetchJwks(jwksUriOf(metadata, issuer), leftMs());
}

/** OpenID Connect Discovery 1.0, section 4: behind the issuer, from which a slash at its end is taken. */
function openidConfigurationOf(issuer: string): string {
  return `${withoutSlash(issuer)}/.well-known/openid-configuration`;
}

/** RFC 8414, section 3: between the host and the path of the issuer. */
function authorizationServerOf(issuer: string): string {
  const { origin, pathname } = new URL(issuer);
  return `${origin}/.well-known/oauth-authorization-server${withoutSlash(pathname)}`;
}

function withoutSlash(text: string): string {
  return text.endsWith('/') ? text.slice(0, -1) : text;
}

/** `null` where there are none. */
async function readMetadata(uri: string, deadlineMs: number): Promise<object | null> {
  const { status, body } = await fetchJson(uri, { deadlineMs, maxBytes: MAX_BYTES });
  if (status === 404) return null;
  if (status !== 200) throw new Error(`the metadata of the issuer were answered with ${status}`);
  if (typeof body !== 'object' || body === null) {
    throw new Error('the metadata of the issuer are not a JSON object');
  }
  return body;
}

function jwksUriOf(metadata: object, issuer: string): string {
  const { issuer: named, jwks_uri: uri } = metadata as { issuer?: unknown; jwks_uri?: unknown };
  // OpenID Connect Discovery 1.0, section 4.3, and RFC 8414, section 3.3: MUST be identical, or it speaks for another.
  if (named !== issuer) throw new Error('the metadata are of another issuer');
  if (typeof uri !== 'string' || !isAsSafeAs(uri, issuer)) {
    throw new Error('the metadata name no address of keys that is safe to ask');
  }
  return uri;
}

/** Plain http is for an issuer that is itself asked so, which the configuration allows on loopback alone. */
function isAsSafeAs(uri: string, issuer: string): boolean {
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname } = new URL(uri);
  const asked = new URL(issuer);
  return (
    protocol === 'https:' ||
    (protocol === 'http:' && asked.protocol === 'http:' && hostname === asked.hostname)
  );
}
