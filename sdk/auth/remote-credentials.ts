import { check } from '../check.js';
import { checkUrl } from '../client-options.js';
import { platformFetch } from '../http/fetch-like.js';
import type { TokenProvider } from './provided-token.js';
import { type RemoteRequestOptions, requestToken } from './remote-token.js';

export interface RemoteCredentialsOptions extends RemoteRequestOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Makes a token provider that asks a backend of your own: `getToken: RemoteCredentials('/api/realtime-token')`. It may
 * be called with or without `new`.
 *
 * `url` may be relative in a page. `map` takes the token out of the JSON object that the backend answers, as a string or
 * as `{ token, expiresAt }`; without it `{ token, expiresAt? }`, `{ access_token, expires_in? }` and a token as plain
 * text are understood.
 *
 * It throws a TypeError that names what is wrong of `url` and `method`.
 */
export interface RemoteCredentialsFactory {
  <Body extends object = Readonly<Record<string, unknown>>>(
    url: string,
    map?: (body: Body) => unknown,
    options?: RemoteCredentialsOptions,
  ): TokenProvider;
  new <Body extends object = Readonly<Record<string, unknown>>>(
    url: string,
    map?: (body: Body) => unknown,
    options?: RemoteCredentialsOptions,
  ): TokenProvider;
}

// A plain function, because it can be called with `new`, and then what it returns is what one gets.
function remoteCredentials(
  url: string,
  map?: (body: Record<string, unknown>) => unknown,
  options: RemoteCredentialsOptions = {},
): TokenProvider {
  // It may be relative; to what, is known in the page alone.
  checkUrl('url', url || null, 'http://page');
  check('method', /^(GET|POST)$/.test(options.method ?? 'POST'), '"GET" or "POST"');
  return ({ signal }) => requestToken(platformFetch, { ...options, url, signal }, map);
}

/** Makes a token provider that asks a backend of your own. */
export const RemoteCredentials = remoteCredentials as unknown as RemoteCredentialsFactory;
