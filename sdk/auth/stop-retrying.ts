/**
 * Thrown by a token provider: asking it again is of no use, because nobody is signed in any more, say. The client goes
 * to `failed` with TOKEN_PROVIDER_ERROR, and waits for `setToken` or `reconnect`.
 */
export class StopRetrying extends Error {
  constructor(message = 'The token provider has no token to give', options?: ErrorOptions) {
    super(message, options);
  }

  // On the prototype, as that of RealtimeError. Known by it, so that one of another copy of this package counts too.
  override get name(): 'StopRetrying' {
    return 'StopRetrying';
  }
}
