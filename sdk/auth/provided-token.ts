import { tokenFailure } from './token-failure.js';
import {
  isBearerToken,
  type SourcedToken,
  type TokenRequest,
  type TokenSource,
} from './token-source.js';

/** A token, or a token with its end as an RFC 3339 time: what `POST /auth/token` answers. */
export type TokenAnswer =
  | string
  | { readonly token: string; readonly expiresAt?: string | undefined };

/**
 * Asked for a token. What it throws is reported as TOKEN_PROVIDER_ERROR, and it is asked again after a pause; after
 * `StopRetrying` it is not. Deadline: 10 s.
 */
export type TokenProvider = (request: TokenRequest) => TokenAnswer | Promise<TokenAnswer>;

/** Tokens that a function of the application gives. */
export class ProvidedToken implements TokenSource {
  readonly canRenew = true;
  readonly renewsAhead: boolean;
  readonly #provider: TokenProvider;

  constructor(provider: TokenProvider, renewsAhead = true) {
    this.#provider = provider;
    this.renewsAhead = renewsAhead;
  }

  async fetch(request: TokenRequest): Promise<SourcedToken> {
    const answer = await this.#provider(request);
    const { token, expiresAt = '' } = Object(
      typeof answer === 'string' ? { token: answer } : answer,
    );
    if (!isBearerToken(token)) {
      throw tokenFailure({ message: 'The token provider gave no bearer token' });
    }
    return { value: token, lifetimeMs: Date.parse(expiresAt) - Date.now() || null };
  }
}
