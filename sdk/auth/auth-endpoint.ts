import type { FetchLike } from '../http/fetch-like.js';
import type { TokenAnswer } from './provided-token.js';
import { type RemoteRequestOptions, requestToken } from './remote-token.js';
import type { TokenRequest } from './token-source.js';

/** A value, or a function that is asked for it anew each time. */
export type Given<T> = T | ((request: TokenRequest) => T | Promise<T>);

/** A backend of your own that gives out tokens, and how it is asked. */
export interface AuthEndpoint {
  /** A backend of your own that gives tokens: an http or https URL, which may be relative in a page. */
  readonly authEndpoint: string;
  /** Headers for it. */
  readonly authHeaders?: Given<Readonly<Record<string, string>> | undefined> | undefined;
  /** What it is told: a JSON body, or the query of a GET. Default: nothing. */
  readonly authParams?: Given<Readonly<Record<string, unknown>> | undefined> | undefined;
  /** Method, cookies and mode of the request. Default: a POST that takes the cookies of the page's own origin along. */
  readonly authRequestOptions?: Given<RemoteRequestOptions | undefined> | undefined;
}

/** Asks `authEndpoint` for a token, with what the options say now. */
export async function askAuthEndpoint(
  { authEndpoint, authHeaders, authParams, authRequestOptions }: AuthEndpoint,
  fetch: FetchLike,
  request: TokenRequest,
): Promise<TokenAnswer> {
  const [headers, params, options] = await Promise.all([
    resolve(authHeaders, request),
    resolve(authParams, request),
    resolve(authRequestOptions, request),
  ]);
  const { method, credentials, mode } = options ?? {};
  const { signal } = request;
  const url = authEndpoint;
  return requestToken(
    fetch,
    { url, headers, params, method, credentials, mode, signal },
    undefined,
  );
}

async function resolve<T>(given: Given<T>, request: TokenRequest): Promise<T> {
  return given instanceof Function ? given(request) : given;
}
