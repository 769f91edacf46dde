import { type Frame, isPattern, MAX_PATTERNS, parseCursor } from '@sluice/protocol';
import { clampWait } from '../connection/backoff.js';
import { RealtimeError } from '../errors.js';

/** Grows when the messages change: tabs with another version of the SDK use other channels and another lock. */
const VERSION = 1;
/** In characters; a frame is at most as long as one that comes over the network. */
const MAX_FRAME_LENGTH = 4 * 1024 * 1024;
const MAX_TEXT_LENGTH = 1_000;
const ID = /^[\w-]{1,64}$/;

/** Asks whoever leads for a stream. */
export interface Attach {
  readonly type: 'attach';
  /** Names the stream, and the channel on which the answer comes. */
  readonly stream: string;
  readonly tab: string;
  readonly topics: readonly string[];
  readonly types: readonly string[];
  readonly lastEventId: string | null;
}

/** What is said to all tabs. */
export type TabMessage = Attach | { readonly type: 'leading' };

/** What is said on the channel of one stream. */
export type TabStreamMessage =
  /** The leader is there, or something came in for it. `cursor`: how far it has come. */
  | { readonly type: 'alive'; readonly cursor: string | null }
  | { readonly type: 'frame'; readonly frame: Frame }
  /** `null`: the stream is to be opened anew, and that is no error. */
  | { readonly type: 'end'; readonly error: RealtimeError | null }
  /** The only one that does not come from the leader: the stream is not wanted any more. */
  | { readonly type: 'detach' };

/**
 * The name of the lock of whoever leads, and of the channel of all tabs.
 * @param key tabs with another one do not share; written so that it cannot look like another part of a name
 */
export function shareName(endpoint: string, workspace: string, key?: string): string {
  const share = `sluice/${VERSION} ${endpoint} ${workspace}`;
  return key === undefined ? share : `${share} ${new URLSearchParams({ key })}`;
}

export function streamName(share: string, stream: string): string {
  return `${share} stream ${stream}`;
}

/** The name of the lock that a tab holds while it is there. */
export function presenceName(share: string, tab: string): string {
  return `${share} tab ${tab}`;
}

/** A message to all tabs; `null` for what is none. */
export function readTabMessage(value: unknown): TabMessage | null {
  const { type, stream, tab, topics, types, lastEventId } = Object(value) as Partial<Attach>;
  if ((type as unknown) === 'leading') return { type: 'leading' };
  const isWhole =
    type === 'attach' &&
    isId(stream) &&
    isId(tab) &&
    isPatterns(topics) &&
    isPatterns(types) &&
    (lastEventId === null || isCursor(lastEventId));
  return isWhole ? { type, stream, tab, topics, types, lastEventId } : null;
}

/** As it is sent: an error does not travel, its fields do. */
export function writeEnd(error: RealtimeError | null): unknown {
  return { type: 'end', error: error?.toJSON() ?? null };
}

/** A message on the channel of a stream; `null` for what is none. */
export function readTabStreamMessage(value: unknown): TabStreamMessage | null {
  const { type, cursor, frame, error } = Object(value) as Record<string, unknown>;
  if (type === 'detach') return { type };
  if (type === 'alive' && (cursor === null || isCursor(cursor))) return { type, cursor };
  if (type === 'frame' && isFrame(frame)) return { type, frame };
  if (type === 'end' && error === null) return { type, error };
  if (type === 'end' && RealtimeError.isRealtimeError(error)) {
    return { type, error: readError(error) };
  }
  return null;
}

function readError(fields: RealtimeError): RealtimeError {
  const { code, message, recoverable, status, requestId, retryAfterMs } = fields;
  return new RealtimeError(code, {
    message: textOf(message),
    recoverable: typeof recoverable === 'boolean' ? recoverable : undefined,
    status: isNumber(status) ? status : undefined,
    requestId: textOf(requestId),
    retryAfterMs: isNumber(retryAfterMs) ? clampWait(retryAfterMs) : undefined,
  });
}

/** A frame as a seat sends it: never without data. */
function isFrame(value: unknown): value is Frame {
  const { id, event, data } = Object(value) as Record<string, unknown>;
  return (
    (id === undefined || isCursor(id)) &&
    (event === undefined || isText(event, MAX_TEXT_LENGTH)) &&
    isText(data, MAX_FRAME_LENGTH)
  );
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

function isCursor(value: unknown): value is string {
  return typeof value === 'string' && parseCursor(value) !== null;
}

function isPatterns(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_PATTERNS &&
    value.every((pattern) => typeof pattern === 'string' && isPattern(pattern))
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT_LENGTH) : undefined;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value);
}
