import type { Frame } from '@sluice/protocol';

/** One stream that is asked for. */
export interface StreamRequest {
  readonly token: string;
  readonly topics: readonly string[];
  readonly types: readonly string[];
  /** Resumes behind this cursor; `null` begins with what happens next. */
  readonly lastEventId: string | null;
}

/** Who hears of a stream while it lasts. */
export interface StreamListener {
  /** Something came in, be it the head or a comment: the stream is alive. Called before the frames that came in. */
  onActivity(): void;
  /** What it throws ends the stream, and `run` rejects with it. */
  onFrame(frame: Frame): void;
}

/** A way to carry a stream. */
export interface Transport {
  /**
   * Opens a stream and reads it to its end. Resolves when the service has ended it. Rejects at once with the reason of
   * the abort when `signal` aborts, and with a RealtimeError for everything else; after that the listener hears nothing.
   */
  run(request: StreamRequest, listener: StreamListener, signal: AbortSignal): Promise<void>;
}
