/** What a client shows of itself: its id and secret, or why they cannot be taken. */
export type CredentialsReading =
  | { readonly credentials: { readonly id: string; readonly secret: string } }
  | { readonly error: 'invalid_client' | 'invalid_request'; readonly description: string };

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i;

/**
 * Finds the client's credentials in the Authorization header or in the form (RFC 6749, section 2.3.1), never in both.
 * @param authorizations each Authorization header as it came
 */
export function readCredentials(
  authorizations: readonly string[],
  form: ReadonlyMap<string, string>,
): CredentialsReading {
  const [authorization] = authorizations;
  if (authorizations.length > 1) {
    return {
      error: 'invalid_request',
      description: 'The Authorization header was given more than once',
    };
  }
  const formId = form.get('client_id');
  const formSecret = form.get('client_secret');
  if (authorization === undefined) {
    return formId === undefined || formSecret === undefined
      ? { error: 'invalid_client', description: 'No client credentials were given' }
      : { credentials: { id: formId, secret: formSecret } };
  }
  if (formSecret !== undefined) {
    // Section 2.3: "The client MUST NOT use more than one authentication method in each request."
    return {
      error: 'invalid_request',
      description: 'Credentials belong into the Authorization header or into the form, not both',
    };
  }
  const credentials = readBasic(authorization);
  if (credentials === null) {
    return {
      error: 'invalid_client',
      description: 'The Authorization header does not hold Basic credentials',
    };
  }
  if (formId !== undefined && formId !== credentials.id) {
    return {
      error: 'invalid_request',
      description: 'client_id and the Authorization header name different clients',
    };
  }
  return { credentials };
}

/** The id and secret of HTTP Basic, each form-encoded first as section 2.3.1 says; `null` for anything else. */
export function readBasic(authorization: string): { id: string; secret: string } | null {
  const encoded = BASIC.exec(authorization)?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return null;
  try {
    return { id: formDecode(text.slice(0, colon)), secret: formDecode(text.slice(colon + 1)) };
  } catch {
    return null;
  }
}

/** @throws URIError where a percent sign does not begin an encoded character. */
function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
