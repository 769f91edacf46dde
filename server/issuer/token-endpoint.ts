import { SluiceError } from '../errors.js';
import { readCredentials } from './client-credentials.js';
import type { Client } from './clients-file.js';
import type { Issuer } from './issuer.js';

export interface TokenEndpointRequest {
  /** Each Authorization header as it came: Node's `headers` would silently keep the first of several. */
  readonly authorization: readonly string[];
  /** The body, `application/x-www-form-urlencoded`; its size is bounded by the caller. */
  readonly body: string;
}

/** RFC 6749, sections 5.1 and 5.2. */
export interface TokenEndpointAnswer {
  readonly status: 200 | 400 | 401 | 429;
  readonly headers: Readonly<Record<string, string>>;
  /** To be sent as JSON. */
  readonly body:
    | {
        readonly access_token: string;
        readonly token_type: 'Bearer';
        readonly expires_in: number;
        readonly scope: string;
      }
    | { readonly error: TokenErrorCode; readonly error_description: string };
}

export type TokenErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_scope'
  | 'unsupported_grant_type'
  | 'temporarily_unavailable';

/** Who the client is, if its secret is right. */
export interface ClientAuthentication {
  /** @throws SluiceError RATE_LIMIT_EXCEEDED, UNAVAILABLE */
  authenticate(id: string, secret: string): Promise<Client | null>;
}

export interface TokenEndpointOptions {
  /** Lifetime of the tokens. Default 900 s. */
  readonly lifetimeSeconds?: number;
}

const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' } as const;

/**
 * Answers a token request by the client credentials grant (RFC 6749, section 4.4). `scope` narrows the permissions, and
 * the extra parameter `workspace` narrows the token to one of the client's workspaces.
 * @throws SluiceError UNAVAILABLE
 */
export async function answerTokenRequest(
  issuer: Issuer,
  clients: ClientAuthentication,
  request: TokenEndpointRequest,
  options: TokenEndpointOptions = {},
): Promise<TokenEndpointAnswer> {
  const { lifetimeSeconds = 900 } = options;
  const form = readForm(request.body);
  if (form === null) return refusal('invalid_request', 'A parameter was given more than once');
  const grantType = form.get('grant_type');
  if (grantType === undefined) {
    // Where the body is of another type the caller hands over an empty one.
    return refusal(
      'invalid_request',
      'grant_type is missing; the body must be application/x-www-form-urlencoded',
    );
  }
  if (grantType !== 'client_credentials') {
    return refusal('unsupported_grant_type', 'grant_type must be client_credentials');
  }
  const reading = readCredentials(request.authorization, form);
  if ('error' in reading) return refusal(reading.error, reading.description);

  let client: Client | null;
  try {
    client = await clients.authenticate(reading.credentials.id, reading.credentials.secret);
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'RATE_LIMIT_EXCEEDED') return busy(error);
    throw error;
  }
  if (client === null)
    return refusal('invalid_client', 'The client is unknown or its secret wrong');

  const permissions = narrow(client.permissions, form.get('scope')?.split(' '));
  if (permissions === null) {
    return refusal('invalid_scope', 'scope names a permission that the client does not have');
  }
  const workspace = form.get('workspace');
  const workspaces = narrow(client.workspaces, workspace === undefined ? undefined : [workspace]);
  if (workspaces === null) {
    return refusal('invalid_request', 'workspace is not one of the workspaces of the client');
  }
  const { token } = issuer.issueToken({
    subject: client.id,
    clientId: client.id,
    workspaces,
    permissions,
    lifetimeSeconds,
  });
  return {
    status: 200,
    headers: NO_STORE,
    body: {
      access_token: token,
      token_type: 'Bearer',
      expires_in: lifetimeSeconds,
      scope: permissions.join(' '),
    },
  };
}

/** The parameters; `null` where one is repeated. */
function readForm(body: string): ReadonlyMap<string, string> | null {
  const seen = new Set<string>();
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    // Section 3.2: "Request and response parameters MUST NOT be included more than once."
    if (seen.has(name)) return null;
    seen.add(name);
    // Section 3.2: "Parameters sent without a value MUST be treated as if they were omitted from the request."
    if (value !== '') form.set(name, value);
  }
  return form;
}

/** Those of `held` that are asked for, or all; `null` where something else is asked for. */
function narrow<Item extends string>(
  held: readonly Item[],
  asked: readonly string[] | undefined,
): readonly Item[] | null {
  if (asked === undefined) return held;
  const isHeld = asked.every((item) => (held as readonly string[]).includes(item));
  return isHeld ? held.filter((item) => asked.includes(item)) : null;
}

/** `description` keeps to the characters of section 5.2: printable ASCII without quotes and backslashes. */
function refusal(error: TokenErrorCode, description: string): TokenEndpointAnswer {
  const isClientFault = error === 'invalid_client';
  return {
    status: isClientFault ? 401 : 400,
    headers: { ...NO_STORE, ...(isClientFault && { 'WWW-Authenticate': 'Basic realm="sluice"' }) },
    body: { error, error_description: description },
  };
}

function busy({ retryAfterMs = 1_000 }: SluiceError): TokenEndpointAnswer {
  return {
    status: 429,
    headers: { ...NO_STORE, 'Retry-After': String(Math.ceil(retryAfterMs / 1_000)) },
    // RFC 6749 has no code for this; its section 4.1.2.1 has the nearest one.
    body: {
      error: 'temporarily_unavailable',
      error_description: 'Too many requests, or too many that failed',
    },
  };
}
