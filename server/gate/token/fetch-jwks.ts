import { fetchJson } from '../fetch-json.js';

const DEADLINE_MS = 5_000;
const MAX_BYTES = 524_288;

/** Reads a JWK set over HTTP, all of it within the deadline. */
export async function fetchJwks(uri: string, deadlineMs = DEADLINE_MS): Promise<{ keys: unknown }> {
  const { status, body } = await fetchJson(uri, {
    deadlineMs,
    maxBytes: MAX_BYTES,
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
  if (status !== 200) throw new Error(`the JWKS endpoint answered ${status}`);
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'keys')) {
    throw new Error('the JWKS endpoint did not answer with a JWK set');
  }
  return { keys: (body as { keys: unknown }).keys };
}
