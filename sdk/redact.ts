const REDACTED = '[redacted]';
/** fetch wraps what failed once or twice; further down nothing helps the reader. */
const MAX_CAUSES = 4;

/** What looks like a token, whoever got it: a JWT, or the credentials of a header. */
const TOKEN_LIKE = /eyJ[\w-]+\.[\w-]+\.[\w-]*|(Bearer |Basic )[\w\-.~+/]{16,}=*/g;

/** `text` without the secrets, and without what looks like a token. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret !== '')
    .reduce((safe, secret) => safe.replaceAll(secret, REDACTED), text)
    .replace(TOKEN_LIKE, `$1${REDACTED}`);
}

/**
 * A copy of what was thrown that is fit to be a `cause`. Only name, message, stack, `code` and the chain of causes are
 * taken over: clients of HTTP like to hang the request, its headers included, on their errors, and the fetch of Node
 * quotes a header that it refuses. It never throws, whatever it is given.
 */
export function redactedCause(thrown: unknown, secrets: readonly string[]): Error {
  try {
    return copyOf(thrown, secrets, 1);
  } catch {
    return new Error('What was thrown could not be read');
  }
}

function copyOf(thrown: unknown, secrets: readonly string[], depth: number): Error {
  // Known by its shape: it may be of another realm, and no instance of this one's Error.
  const { name, message, stack, code, cause } = Object(thrown) as Record<string, unknown>;
  const safe = (text: unknown): string => redact(String(text), secrets);
  if (typeof message !== 'string') return new Error(safe(thrown));
  const copy: Error & { code?: string } = new Error(safe(message));
  copy.name = safe(name);
  copy.stack = safe(stack);
  if (typeof code === 'string') copy.code = safe(code);
  if (cause !== undefined && depth < MAX_CAUSES) copy.cause = copyOf(cause, secrets, depth + 1);
  return copy;
}
