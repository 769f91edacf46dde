import { TOKEN_PATH } from '@sluice/protocol';
import type { FetchLike } from '../http/fetch-like.js';
import { askAuthEndpoint } from './auth-endpoint.js';
import { ClientCredentials } from './client-credentials.js';
import { ProvidedToken, type TokenProvider } from './provided-token.js';
import type { TokenOptions, TokenWays } from './token-options.js';
import type { SourcedToken, TokenRequest } from './token-source.js';

/** A token, by a way that is neither a token nor a function that gives one. What `options` hold was checked before. */
export async function fetchToken(
  options: TokenOptions & { readonly workspace: string },
  request: TokenRequest,
  endpoint: () => string,
  fetch: FetchLike,
): Promise<SourcedToken> {
  if (options.clientId === undefined) {
    return new ProvidedToken(providerOf(options, fetch)).fetch(request);
  }
  // Each time: the endpoint may have moved.
  const { clientId, clientSecret, tokenEndpoint = endpoint() + TOKEN_PATH } = options;
  return new ClientCredentials({ tokenEndpoint, clientId, clientSecret, fetch }).fetch(request);
}

function providerOf(
  options: TokenOptions & { readonly workspace: string },
  fetch: FetchLike,
): TokenProvider {
  const { workspace, authAction } = options;
  if (options.authEndpoint !== undefined) {
    return (request) => askAuthEndpoint(options, fetch, request);
  }
  if (authAction !== undefined) {
    return ({ reason, attempt }) => authAction({ workspace, reason, attempt });
  }
  // The one that is left.
  const { token, onAuthFailure } = options as TokenWays['onAuthFailure'];
  return (request) => (request.reason === 'initial' && token) || onAuthFailure(request);
}
