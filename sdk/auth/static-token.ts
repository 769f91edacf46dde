import type { SourcedToken, TokenSource } from './token-source.js';

/** One token that the application has got itself. When it runs out, only the application can help. */
export class StaticToken implements TokenSource {
  readonly canRenew = false;
  readonly renewsAhead = false;
  readonly #token: string;

  /** @param token one that `isBearerToken` accepts */
  constructor(token: string) {
    this.#token = token;
  }

  async fetch(): Promise<SourcedToken> {
    return { value: this.#token, lifetimeMs: null };
  }
}
