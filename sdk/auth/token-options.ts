import { TOKEN_PATH } from '@sluice/protocol';
import { checkUrl } from '../client-options.js';
import type { FetchLike } from '../http/fetch-like.js';
import type { AuthEndpoint } from './auth-endpoint.js';
import { ProvidedToken, type TokenAnswer, type TokenProvider } from './provided-token.js';
import { StaticToken } from './static-token.js';
import { isBearerToken, type TokenRequest, type TokenSource } from './token-source.js';

/** What `authAction` is called with: nothing that cannot travel to a server. */
export type AuthActionRequest = Omit<TokenRequest, 'signal'> & { readonly workspace: string };

interface TokenWays {
  token: {
    /** A token that you have got yourself. `setToken` replaces it. */
    readonly token: string;
  };
  authToken: {
    /** A token, or a function that is asked for one, and again before that one ends. Same as `getToken`. */
    readonly authToken: string | TokenProvider;
  };
  getToken: {
    /** A function that is asked for a token, and again before that one ends; or a token. */
    readonly getToken: string | TokenProvider;
  };
  clientCredentials: {
    /** A service account; its tokens are had by OAuth 2.0 client credentials. */
    readonly clientId: string;
    readonly clientSecret: string;
    /** Where its tokens are had: an absolute http or https URL. Default: `{endpoint}/oauth/token`. */
    readonly tokenEndpoint?: string;
    /** A browser cannot keep a secret, and client credentials are refused there unless this is true. Default: false. */
    readonly dangerouslyAllowBrowser?: boolean;
  };
  authEndpoint: AuthEndpoint;
  authAction: {
    /** As `getToken`, for server actions: called with what can travel to a server alone. */
    readonly authAction: (request: AuthActionRequest) => TokenAnswer | Promise<TokenAnswer>;
  };
  onAuthFailure: {
    /** Asked for a token once the service has refused the one before, never ahead of time. */
    readonly onAuthFailure: TokenProvider;
    /** The first token. Default: `onAuthFailure` is asked for it, with the reason `initial`. */
    readonly token?: string;
  };
}

type KeysOf<T> = T extends unknown ? keyof T : never;
type Only<Way> = Way & {
  readonly [Name in Exclude<KeysOf<TokenWays[keyof TokenWays]>, keyof Way>]?: never;
};

/** Exactly one way of getting a token. */
export type TokenOptions = { [Name in keyof TokenWays]: Only<TokenWays[Name]> }[keyof TokenWays];

/** The options of each way. */
const WAYS = {
  token: ['token'],
  authToken: ['authToken'],
  getToken: ['getToken'],
  clientCredentials: ['clientId', 'clientSecret', 'tokenEndpoint', 'dangerouslyAllowBrowser'],
  authEndpoint: ['authEndpoint', 'authHeaders', 'authParams', 'authRequestOptions'],
  authAction: ['authAction'],
  onAuthFailure: ['onAuthFailure'],
} as const satisfies { readonly [Way in keyof TokenWays]: readonly KeysOf<TokenWays[Way]>[] };

/** @throws TypeError, without the token in it. */
export function checkToken(token: unknown, name = 'token'): string {
  if (isBearerToken(token)) return token;
  throw new TypeError(`"${name}" must be a bearer token: letters, digits and "-._~+/", then "="`);
}

/** @throws TypeError that names the options that are wrong or exclude each other, never the value of a secret. */
export function tokenSourceOf(
  options: TokenOptions & { readonly workspace: string },
  endpoint: () => string,
  fetch: FetchLike,
): TokenSource {
  const way = wayOf(options);
  switch (way) {
    case 'clientCredentials':
      return clientCredentialsOf(options, endpoint, fetch);
    case 'authEndpoint':
      return authEndpointOf(options, fetch);
    case 'authAction': {
      const ask = checkFunction(way, options[way]);
      const { workspace } = options;
      return new ProvidedToken(({ reason, attempt }) => ask({ workspace, reason, attempt }));
    }
    case 'onAuthFailure': {
      const ask = checkFunction(way, options[way]);
      const first = options.token === undefined ? null : checkToken(options.token);
      return new ProvidedToken(
        (request) => (request.reason === 'initial' && first) || ask(request),
        false,
      );
    }
    default: {
      const given = options[way];
      if (way !== 'token' && typeof given === 'function') return new ProvidedToken(given);
      return new StaticToken(checkToken(given, way));
    }
  }
}

/** The one way that is given. */
function wayOf(options: TokenOptions): keyof TokenWays {
  const ways = (Object.keys(WAYS) as (keyof TokenWays)[])
    .map((way) => ({ way, names: WAYS[way].filter((name) => options[name] !== undefined) }))
    .filter(({ names }) => names.length > 0)
    // A first token belongs to `onAuthFailure`.
    .filter(({ way }) => way !== 'token' || options.onAuthFailure === undefined);
  const [only, second] = ways;
  if (only === undefined) {
    throw new TypeError(
      'there is no way of getting a token: give "token", "authToken", "getToken", "clientId" and "clientSecret", "authEndpoint", "authAction" or "onAuthFailure"',
    );
  }
  if (second === undefined) return only.way;
  const named = ways.map(({ names }) => names.map((name) => `"${name}"`).join(', '));
  throw new TypeError(`${named.join(' and ')} exclude each other: give one way of getting a token`);
}

function clientCredentialsOf(
  options: Partial<TokenWays['clientCredentials']>,
  endpoint: () => string,
  fetch: FetchLike,
): TokenSource {
  const { clientId, clientSecret, tokenEndpoint } = options;
  if (!isFilled(clientId) || !isFilled(clientSecret)) {
    throw new TypeError('"clientId" and "clientSecret" go together, and neither may be empty');
  }
  if (options.dangerouslyAllowBrowser !== true && isBrowser()) {
    throw new TypeError(
      '"clientSecret" must not be used in a browser, where everybody can read it: give a "token" that your own service has got',
    );
  }
  const configured =
    tokenEndpoint === undefined ? null : checkUrl('tokenEndpoint', tokenEndpoint).href;
  return {
    canRenew: true,
    fetch: async (request) => {
      const { ClientCredentials } = await import('./client-credentials.js');
      // Each time: the endpoint may have moved.
      const address = configured ?? endpoint() + TOKEN_PATH;
      const source = new ClientCredentials({
        tokenEndpoint: address,
        clientId,
        clientSecret,
        fetch,
      });
      return source.fetch(request);
    },
  };
}

function authEndpointOf(options: Partial<AuthEndpoint>, fetch: FetchLike): TokenSource {
  const { authEndpoint = '' } = options;
  // It may be relative; to what, is known in the page alone.
  const isRelative = authEndpoint !== '' && !URL.canParse(authEndpoint);
  checkUrl('authEndpoint', isRelative ? new URL(authEndpoint, 'http://page').href : authEndpoint);
  return new ProvidedToken(async (request) => {
    const { askAuthEndpoint } = await import('./auth-endpoint.js');
    return askAuthEndpoint({ ...options, authEndpoint }, fetch, request);
  });
}

function checkFunction<T extends (...args: never[]) => unknown>(
  name: string,
  value: T | undefined,
): T {
  if (typeof value === 'function') return value;
  throw new TypeError(`"${name}" must be a function`);
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0;
}

/** A page, or a worker of one. Servers at the edge have a worker's scope too, but no address of their own. */
function isBrowser(): boolean {
  if (typeof document !== 'undefined') return true;
  return 'WorkerGlobalScope' in globalThis && typeof location !== 'undefined';
}
