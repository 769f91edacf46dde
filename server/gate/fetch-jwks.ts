const DEADLINE_MS = 5_000;
const MAX_BYTES = 524_288;

/**
 * Reads a JWK set over HTTP, all of it within the deadline and the size. A redirect is a failure: it would let the
 * keys come from somewhere nobody configured.
 */
export async function fetchJwks(uri: string, deadlineMs = DEADLINE_MS): Promise<{ keys: unknown }> {
  const response = await fetch(uri, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(deadlineMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the JWKS endpoint answered ${response.status}`);
  }
  const document: unknown = JSON.parse(await readText(response));
  if (typeof document !== 'object' || document === null || !Object.hasOwn(document, 'keys')) {
    throw new Error('the JWKS endpoint did not answer with a JWK set');
  }
  return { keys: (document as { keys: unknown }).keys };
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error('the JWK set is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
