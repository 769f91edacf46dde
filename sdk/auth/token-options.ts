import { check, checkCallback } from '../check.js';
import { checkUrl } from '../client-options.js';
import type { FetchLike } from '../http/fetch-like.js';
import type { AuthEndpoint } from './auth-endpoint.js';
import { ProvidedToken, type TokenAnswer, type TokenProvider } from './provided-token.js';
import { StaticToken } from './static-token.js';
import { isBearerToken, type TokenRequest, type TokenSource } from './token-source.js';

/** What `authAction` is called with: nothing that cannot travel to a server. */
export type AuthActionRequest = Omit<TokenRequest, 'signal'> & { readonly workspace: string };

export interface TokenWays {
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
    readonly tokenEndpoint?: string | undefined;
    /** A browser cannot keep a secret, and client credentials are refused there unless this is true. Default: false. */
    readonly dangerouslyAllowBrowser?: boolean | undefined;
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
    readonly token?: string | undefined;
  };
}

type KeysOf<T> = T extends unknown ? keyof T : never;
type OptionName = KeysOf<TokenWays[keyof TokenWays]>;
type Only<Way> = Way & { readonly [Name in Exclude<OptionName, keyof Way>]?: undefined };

/** Exactly one way of getting a token. */
export type TokenOptions = { [Name in keyof TokenWays]: Only<TokenWays[Name]> }[keyof TokenWays];

/** The options of each way, the one that must be there first. */
const WAYS: readonly (readonly [OptionName, ...OptionName[]])[] = [
  ['token'],
  ['authToken'],
  ['getToken'],
  ['clientId', 'clientSecret', 'tokenEndpoint', 'dangerouslyAllowBrowser'],
  ['authEndpoint', 'authHeaders', 'authParams', 'authRequestOptions'],
  ['authAction'],
  ['onAuthFailure'],
];

/** @throws TypeError, without the token in it. */
export function checkToken(token: unknown, name = 'token'): string {
  const rule = 'a bearer token (RFC 6750)';
  check(name, isBearerToken(token), name === 'token' ? rule : `a function or ${rule}`);
  return token as string;
}

/** @throws TypeError that names the options that are wrong or exclude each other, never the value of a secret. */
export function tokenSourceOf(
  options: TokenOptions & { readonly workspace: string },
  endpoint: () => string,
  fetch: FetchLike,
): TokenSource {
  const way = wayOf(options);
  const given = options[way];
  const { token } = options;
  if (token !== undefined) checkToken(token);
  if (['token', 'authToken', 'getToken'].includes(way)) {
    return typeof given === 'function'
      ? new ProvidedToken(given as TokenProvider)
      : new StaticToken(checkToken(given, way));
  }
  if (way === 'clientId') checkClientCredentials(options);
  // It may be relative; to what, is known in the page alone.
  else if (way === 'authEndpoint') checkUrl(way, given || null, 'http://page');
  else checkCallback(options, way);
  return {
    canRenew: true,
    renewsAhead: way !== 'onAuthFailure',
    fetch: async (request) => {
      const { fetchToken } = await import('./other-ways.js');
      return fetchToken(options, request, endpoint, fetch);
    },
  };
}

/** The first option of the one way that is given. */
function wayOf(options: TokenOptions): OptionName {
  // A first token belongs to `onAuthFailure`.
  const isGiven = (name: OptionName): boolean =>
    options[name] !== undefined && (name !== 'token' || options.onAuthFailure === undefined);
  const ways = WAYS.filter((names) => names.some(isGiven));
  const [only, second] = ways;
  if (only !== undefined && second === undefined) return only[0];
  const all = WAYS.map(([way]) => `"${way}"`).join(', ');
  const given = ways.map((names) => `"${names.filter(isGiven).join('", "')}"`).join(' and ');
  throw new TypeError(`give exactly one of ${all}: not ${given || 'none'}`);
}

function checkClientCredentials(options: TokenOptions): void {
  for (const name of ['clientId', 'clientSecret'] as const) {
    check(name, typeof options[name] === 'string' && options[name] !== '', 'a text');
  }
  const { tokenEndpoint, dangerouslyAllowBrowser } = options;
  const isKept = dangerouslyAllowBrowser === true || !isBrowser();
  check('clientSecret', isKept, 'left out in a browser, where everybody can read it');
  if (tokenEndpoint !== undefined) checkUrl('tokenEndpoint', tokenEndpoint);
}

/** A page, or a worker of one. Servers at the edge have a worker's scope too, but no address of their own. */
function isBrowser(): boolean {
  if (typeof document !== 'undefined') return true;
  return 'WorkerGlobalScope' in globalThis && typeof location !== 'undefined';
}
