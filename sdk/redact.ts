const REDACTED = '[redacted]';
/** fetch wraps what failed once or twice; further down nothing helps the reader. */
const MAX_CAUSES = 4;

/** What looks like a token, whoever got it: a JWT, or the credentials of a header. */
const TOKEN_LIKE = /eyJ[\w-]+\.[\w-]+\.[\w-]*|(Bearer |Basic )[\w\-.~+/]{16,}=*/g;

/** `text` without the secrets, none of which may be empty, and without what looks like a token. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .reduce((safe, secret) => safe.replaceAll(secret, REDACTED), text)
    .replace(TOKEN_LIKE, `$1${REDACTED}`);
}

/**
 * A copy of what a `fetch` threw that is fit to be a `cause`. Only name, message, stack, `code` and the chain of causes
 * are taken over: clients of HTTP like to hang the request, its headers included, on their errors, and the fetch of
 * Node quotes a header that it refuses.
 */
export function redactedCause(thrown: unknown, secrets: readonly string[], depth = 1): Error {
  if (!isError(thrown)) return new Error(redact(String(thrown), secrets));
  const copy: Error & { code?: string } = new Error(redact(thrown.message, secrets));
  copy.name = redact(thrown.name, secrets);
  copy.stack = redact(thrown.stack ?? '', secrets);
  if ('code' in thrown && typeof thrown.code === 'string') copy.code = redact(thrown.code, secrets);
  if (thrown.cause !== undefined && depth < MAX_CAUSES) {
    copy.cause = redactedCause(thrown.cause, secrets, depth + 1);
  }
  return copy;
}

/** By its shape: what a fetch throws may be of another realm, and no instance of this one's Error. */
function isError(thrown: unknown): thrown is Error {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    'name' in thrown &&
    typeof thrown.name === 'string' &&
    'message' in thrown &&
    typeof thrown.message === 'string'
  );
}
