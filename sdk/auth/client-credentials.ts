import type { FetchLike, FetchLikeResponse } from '../http/fetch-like.js';
import { readJsonObject } from '../http/response-body.js';
import { redactedCause } from '../redact.js';
import { providerRefusal } from './provider-refusal.js';
import { tokenFailure } from './token-failure.js';
import { isBearerToken, type SourcedToken, type TokenRequest } from './token-source.js';

export interface ClientCredentialsOptions {
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly fetch: FetchLike;
}

/** Tokens by OAuth 2.0 client credentials (RFC 6749, section 4.4), for services that can keep a secret. */
export class ClientCredentials {
  readonly #tokenEndpoint: string;
  readonly #fetch: FetchLike;
  readonly #clientSecret: string;
  readonly #basic: string;

  constructor({ tokenEndpoint, clientId, clientSecret, fetch }: ClientCredentialsOptions) {
    this.#tokenEndpoint = tokenEndpoint;
    this.#fetch = fetch;
    this.#clientSecret = clientSecret;
    // RFC 6749, section 2.3.1: both are form-encoded first, so a colon or a letter beyond ASCII survives.
    this.#basic = btoa(`${formEncode(clientId)}:${formEncode(clientSecret)}`);
  }

  async fetch({ signal }: TokenRequest): Promise<SourcedToken> {
    const response = await this.#post(signal);
    if (response.status !== 200) throw providerRefusal(response, 'token endpoint');
    const answer = await readJsonObject(response, signal);
    const token = answer?.['access_token'];
    if (!isBearerToken(token)) {
      throw tokenFailure({
        message: 'The token endpoint answered without a usable "access_token"',
        status: response.status,
      });
    }
    return { value: token, lifetimeMs: lifetimeOf(answer?.['expires_in']) };
  }

  async #post(signal: AbortSignal): Promise<FetchLikeResponse> {
    try {
      return await this.#fetch(this.#tokenEndpoint, {
        method: 'POST',
        headers: {
          accept: 'application/json',
          authorization: `Basic ${this.#basic}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: 'grant_type=client_credentials',
        signal,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'manual',
      });
    } catch (error) {
      throw tokenFailure({
        message: 'The token endpoint could not be reached',
        cause: redactedCause(error, [this.#clientSecret, this.#basic]),
      });
    }
  }
}

/** `expires_in` in milliseconds; it is optional (RFC 6749, section 5.1). */
function lifetimeOf(expiresIn: unknown): number | null {
  return typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn * 1000 : null;
}

function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
