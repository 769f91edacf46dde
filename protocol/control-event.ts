import type { Problem } from './errors.js';

/** First frame of every stream; its `id:` is the stream's cursor, so that a client that saw no event can resume. */
export interface StreamConnected {
  readonly connectionId: string;
  readonly workspace: string;
  readonly subject: string;
  /** When the stream will be ended: the `exp` of its token, as an RFC 3339 time. */
  readonly expiresAt: string;
  /** `fresh`: no cursor was given; `complete`: nothing is missing since the cursor; `gap`: `stream.gap` follows. */
  readonly resumed: 'complete' | 'gap' | 'fresh';
}

/** History that was asked for is gone. The stream goes on behind the frame's `id:`. */
export interface StreamGap {
  /** The cursor that was asked for. */
  readonly from: string;
  /** The oldest cursor from which the history is still whole. */
  readonly oldest: string;
  /**
   * `expired`: retention has trimmed it; `unknown_epoch`: the cursor is of another log or workspace;
   * `ahead`: the log has not come that far (it was restored from an older copy); `lost`: the log may have lost events,
   * since the server that kept it was replaced or restarted.
   */
  readonly reason: 'expired' | 'unknown_epoch' | 'ahead' | 'lost';
}

/** The token ends soon; a client that has a newer one opens its next stream now. */
export interface StreamTokenExpiring {
  readonly expiresAt: string;
}

/** The node goes down. */
export interface StreamDraining {
  /** When this client should come back, spread over the drain window. */
  readonly reconnectInMs: number;
}

/** Control events by name. They are named SSE events, so they never meet an application's event (`message`). */
export interface ControlEvents {
  readonly 'stream.connected': StreamConnected;
  readonly 'stream.gap': StreamGap;
  readonly 'stream.token_expiring': StreamTokenExpiring;
  readonly 'stream.error': Problem;
  readonly 'stream.draining': StreamDraining;
}

/** The name of a control event. */
export type ControlEventName = keyof ControlEvents;
