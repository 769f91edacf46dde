import { isWorkspace, TOKEN_PATH } from '@sluice/protocol';
import { ClientCredentials } from './auth/client-credentials.js';
import { StaticToken } from './auth/static-token.js';
import { isBearerToken, type TokenSource } from './auth/token-source.js';
import { type Backoff, DEFAULT_BACKOFF, MAX_WAIT_MS } from './connection/backoff.js';
import { type FetchLike, platformFetch } from './fetch-like.js';

/** How a client is made: where it connects to, and exactly one way of getting a token. */
export type RealtimeClientOptions = ConnectOptions & (TokenOptions | ClientCredentialOptions);

export interface ConnectOptions {
  /** Where the service is, as an absolute http or https URL: `https://events.example.com`. A path is kept as a prefix. */
  readonly endpoint: string;
  /** The workspace whose events are subscribed to. Compared exactly: `acme` and `Acme` are two workspaces. */
  readonly workspace: string;
  /** Default: the platform's `fetch`. It must honour `redirect: 'manual'`. */
  readonly fetch?: FetchLike;
  /** Pauses before new attempts. Default: `{ baseMs: 500, ceilMs: 30_000 }`; both at most 300,000. */
  readonly backoff?: Partial<Backoff>;
  /**
   * Milliseconds of silence after which a stream is taken for dead and opened anew.
   * Default: 45,000, three heartbeats of the service; at most 300,000.
   */
  readonly heartbeatTimeoutMs?: number;
  /** Closes the client when it aborts. */
  readonly signal?: AbortSignal;
}

/** A token that the application has got itself; `setToken` replaces it. */
export interface TokenOptions {
  readonly token: string;
  readonly clientId?: never;
  readonly clientSecret?: never;
  readonly tokenEndpoint?: never;
}

/** OAuth 2.0 client credentials. For services: a browser cannot keep a secret, and is refused. */
export interface ClientCredentialOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Absolute http or https URL that gives out tokens. Default: the endpoint's own, `{endpoint}/oauth/token`. */
  readonly tokenEndpoint?: string;
  readonly token?: never;
}

/** The options after the check, every default filled in. */
export interface ClientSettings {
  readonly endpoint: string;
  readonly workspace: string;
  readonly fetch: FetchLike;
  readonly backoff: Backoff;
  readonly heartbeatTimeoutMs: number;
  readonly signal: AbortSignal | null;
  readonly source: TokenSource;
}

/** @throws TypeError that names the option at fault, never its value where that is a secret. */
export function checkClientOptions(options: RealtimeClientOptions): ClientSettings {
  const endpoint = checkEndpoint(options.endpoint);
  const { workspace, signal = null } = options;
  if (typeof workspace !== 'string' || !isWorkspace(workspace)) {
    throw new TypeError('"workspace" must be 1 to 64 letters, digits, "_" and "-"');
  }
  const fetch = options.fetch ?? platformFetch;
  if (typeof fetch !== 'function') throw new TypeError('"fetch" must be a function');
  const heartbeatTimeoutMs = checkMs('heartbeatTimeoutMs', options.heartbeatTimeoutMs ?? 45_000);
  return {
    endpoint,
    workspace,
    fetch,
    backoff: checkBackoff({ ...DEFAULT_BACKOFF, ...options.backoff }),
    heartbeatTimeoutMs,
    signal,
    source: checkSource(options, endpoint, fetch),
  };
}

/** @throws TypeError, without the token in it. */
export function checkToken(token: unknown): StaticToken {
  if (!isBearerToken(token)) {
    throw new TypeError('"token" must be a bearer token: letters, digits and "-._~+/", then "="');
  }
  return new StaticToken(token);
}

function checkSource(
  options: RealtimeClientOptions,
  endpoint: string,
  fetch: FetchLike,
): TokenSource {
  const { token, clientId, clientSecret, tokenEndpoint = endpoint + TOKEN_PATH } = options;
  const credentials = (['clientId', 'clientSecret', 'tokenEndpoint'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (token !== undefined) {
    if (credentials.length === 0) return checkToken(token);
    throw new TypeError(
      `"token" and ${credentials.map((name) => `"${name}"`).join(', ')} exclude each other: give one way of getting a token`,
    );
  }
  if (credentials.length === 0) {
    throw new TypeError(
      'there is no way of getting a token: give "token", or "clientId" and "clientSecret"',
    );
  }
  if (!isFilled(clientId) || !isFilled(clientSecret)) {
    throw new TypeError('"clientId" and "clientSecret" go together, and neither may be empty');
  }
  if (typeof document !== 'undefined') {
    throw new TypeError(
      '"clientSecret" must not be used in a browser, where everybody can read it: give a "token" that your own service has got',
    );
  }
  return new ClientCredentials({
    tokenEndpoint: checkUrl('tokenEndpoint', tokenEndpoint).href,
    clientId,
    clientSecret,
    fetch,
  });
}

function checkEndpoint(value: unknown): string {
  const url = checkUrl('endpoint', value);
  if (url.search) throw new TypeError('"endpoint" must be a URL without a query');
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function checkUrl(name: string, value: unknown): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`"${name}" must be an absolute http or https URL`);
  }
  if (url.username || url.password || url.hash) {
    throw new TypeError(`"${name}" must be a URL without credentials and fragment`);
  }
  return url;
}

function checkBackoff({ baseMs, ceilMs }: Backoff): Backoff {
  checkMs('backoff.baseMs', baseMs);
  checkMs('backoff.ceilMs', ceilMs);
  if (baseMs > ceilMs) throw new TypeError('"backoff.baseMs" must not be above "backoff.ceilMs"');
  return { baseMs, ceilMs };
}

function checkMs(name: string, value: unknown): number {
  if (typeof value === 'number' && value > 0 && value <= MAX_WAIT_MS) return value;
  throw new TypeError(
    `"${name}" must be a number of milliseconds above 0 and up to ${MAX_WAIT_MS}`,
  );
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0;
}
