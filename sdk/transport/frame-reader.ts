import type { Frame } from '@sluice/protocol';
import { RealtimeError } from '../errors.js';

/** Longest frame, in characters: far above any event, far below what would hurt. */
export const MAX_FRAME_LENGTH = 4 * 1024 * 1024;
const LINE_BREAK = /\r\n|\r|\n/;

/**
 * Reads frames out of the text of an event stream (WHATWG HTML, section 9.2.6), however it was cut into chunks.
 *
 * The reader of our own is there for one kind of frame that the common parsers keep to themselves: an `id:` without
 * data, by which the service moves the cursor of a quiet stream. Comments are skipped.
 */
export class FrameReader {
  readonly #maxLength: number;
  /** The beginning of a line whose end has not come yet. */
  #partial = '';
  #endedInCr = false;
  #frame: { id?: string; event?: string; data?: string; retry?: number } = {};

  /** @param maxLength most characters of one line, and of the data of one frame */
  constructor(maxLength = MAX_FRAME_LENGTH) {
    this.#maxLength = maxLength;
  }

  /**
   * The frames that `text` completes.
   * @throws RealtimeError PROTOCOL_ERROR for a frame that is too long; the reader is of no use after that.
   */
  *feed(text: string): Generator<Frame, void, undefined> {
    if (text === '') return;
    // CRLF that was cut in two: the CR has ended the line already.
    const rest = this.#endedInCr ? text.replace(/^\n/, '') : text;
    this.#endedInCr = text.endsWith('\r');
    const lines = rest.split(LINE_BREAK);
    // Only what is new is searched: looking at the whole beginning again for each chunk would cost the square.
    lines[0] = this.#partial + lines[0];
    const partial = lines.pop() as string;
    for (const line of lines) {
      if (line === '') yield* this.#dispatch();
      else this.#take(line);
    }
    this.#partial = this.#bounded(partial);
  }

  #take(line: string): void {
    // A comment is a field without a name.
    const field = line.split(':', 1)[0] as string;
    const value = line.slice(field.length + 1).replace(/^ /, '');
    const frame = this.#frame;
    if (field === 'data') {
      frame.data = this.#bounded(frame.data === undefined ? value : `${frame.data}\n${value}`);
    } else if (field === 'event') {
      frame.event = value;
    } else if (field === 'id' && !value.includes('\0')) {
      frame.id = value;
    } else if (field === 'retry' && /^\d+$/.test(value)) {
      frame.retry = Number(value);
    }
  }

  *#dispatch(): Generator<Frame, void, undefined> {
    const { event, ...frame } = this.#frame;
    this.#frame = {};
    if (Object.keys(frame).length > 0) yield event ? { event, ...frame } : frame;
  }

  #bounded(text: string): string {
    if (text.length > this.#maxLength) throw frameTooLong(this.#maxLength);
    return text;
  }
}

export function frameTooLong(maxLength: number): RealtimeError {
  return new RealtimeError('PROTOCOL_ERROR', {
    message: `The service sent a frame of more than ${maxLength} characters`,
  });
}
