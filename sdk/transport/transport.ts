import type { Frame } from '@sluice/protocol';

/** One stream that is asked for. */
export interface StreamRequest {
  /** Where the service is, without a slash at the end. */
  readonly endpoint: string;
  readonly workspace: string;
  readonly token: string;
  readonly topics: readonly string[];
  readonly types: readonly string[];
  /** Resumes behind this cursor; `null` begins with what happens next. */
  readonly lastEventId: string | null;
}

/** Who hears of a stream while it lasts. */
export interface StreamListener {
  /** The clock of the service, in milliseconds since 1970, as an answer's `Date` tells it. */
  onServerTime(serverTimeMs: number): void;
  /**
   * Something came in, be it the head or a comment: the stream is alive. Called before the frames that came in. From the
   * first call on, silence is taken for death; a transport that sees no comments never calls it.
   */
  onActivity(): void;
  /** What it throws ends the stream, and `run` rejects with it. */
  onFrame(frame: Frame): void;
}

/** A way to carry a stream. */
export interface Transport {
  /**
   * Opens a stream and reads it to its end. Resolves when the service has ended it. Rejects at once with the reason of
   * the abort when `signal` aborts, and with a RealtimeError for everything else; after that the listener hears nothing.
   * How long an answer may take to come is up to whoever holds `signal`.
   */
  run(request: StreamRequest, listener: StreamListener, signal: AbortSignal): Promise<void>;
  /** No stream is wanted for now: lets go of what it keeps between streams. */
  rest?(): void;
}
