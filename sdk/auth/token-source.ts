/** Where tokens come from. */
export interface TokenSource {
  /** Whether asking again brings another token. */
  readonly canRenew: boolean;
  /** Whether it is asked before a token ends, and not only once one was refused. */
  readonly renewsAhead: boolean;
  /**
   * Gets a token. `signal` aborts when nobody waits for it any more, or at the deadline.
   * @throws RealtimeError, without the token or any other secret in it.
   */
  fetch(request: TokenRequest): Promise<SourcedToken>;
}

/** Why a token is asked for, and how often that failed. */
export interface TokenRequest {
  /**
   * `initial`: there was none yet; `expiring`: it ends soon, the stream goes on meanwhile; `expired`: it has ended;
   * `rejected`: the service refused it; `resume`: it ended while the client was suspended.
   */
  readonly reason: 'initial' | 'expiring' | 'expired' | 'rejected' | 'resume';
  /** From 1; grows while the source fails, and begins anew with each token that was had. */
  readonly attempt: number;
  /** Aborts when nobody waits for the token any more, or at the deadline of 10 s. */
  readonly signal: AbortSignal;
}

export interface SourcedToken {
  readonly value: string;
  /** Milliseconds that the token lives from now on; `null` where the source cannot tell. */
  readonly lifetimeMs: number | null;
}

// RFC 6750, section 2.1: b64token
const BEARER_TOKEN = /^[\w\-.~+/]+=*$/;

/**
 * Whether `text` can be sent as a bearer token. Anything else is refused before it gets near a header: the fetch of
 * Node quotes a header that it does not take, and the token with it.
 */
export function isBearerToken(text: unknown): text is string {
  return typeof text === 'string' && BEARER_TOKEN.test(text);
}
