/** One frame of an event stream (WHATWG HTML, section 9.2.5). Absent fields are not written. */
export interface Frame {
  /** The reader's new last event id. Without `data` it moves the cursor and dispatches nothing. */
  readonly id?: string;
  /** The event's name; absent for the default, `message`. */
  readonly event?: string;
  /** Any text; line breaks of every kind arrive as LF. */
  readonly data?: string;
  /** Milliseconds a native EventSource waits before it connects anew. */
  readonly retry?: number;
  readonly comment?: string;
}

/**
 * The largest delay that timers accept. A larger one overflows into an immediate retry, so this is what tells a
 * native EventSource to stay away after a terminal refusal.
 */
export const TERMINAL_RETRY_MS = 2_147_483_647;

// C0, DEL and C1. A CR or LF in a field would forge the next one; a NUL in `id` makes readers ignore the field.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const LINE_BREAK = /\r\n|\r|\n/;

/** Whether `text` has a control character, which no field of one line may carry. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}

/**
 * Writes one frame, the blank line included. The only way to the wire.
 * @throws RangeError if `id` or `event` has a control character, or `retry` is not a whole number a timer accepts.
 */
export function encodeFrame(frame: Frame): string {
  let text = '';
  if (frame.comment !== undefined) text += lines(': ', frame.comment);
  if (frame.retry !== undefined) text += `retry: ${wholeNumber(frame.retry)}\n`;
  if (frame.id !== undefined) text += `id: ${oneLine('id', frame.id)}\n`;
  if (frame.event !== undefined) text += `event: ${oneLine('event', frame.event)}\n`;
  if (frame.data !== undefined) text += lines('data: ', frame.data);
  return `${text}\n`;
}

function lines(field: string, text: string): string {
  // JSON, which most frames carry, never has a line break: to look for one takes a fraction of what to split takes.
  if (!LINE_BREAK.test(text)) return `${field}${text}\n`;
  return text
    .split(LINE_BREAK)
    .map((line) => `${field}${line}\n`)
    .join('');
}

function oneLine(field: string, value: string): string {
  if (hasControlCharacter(value)) {
    throw new RangeError(`the field "${field}" of a frame cannot carry control characters`);
  }
  return value;
}

function wholeNumber(milliseconds: number): number {
  if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > TERMINAL_RETRY_MS) {
    throw new RangeError('"retry" of a frame is a whole number of milliseconds');
  }
  return milliseconds;
}
