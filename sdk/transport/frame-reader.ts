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
  /** The beginning of a line whose end has not come yet. In pieces: joining at each chunk would cost the square. */
  #partial: string[] = [];
  #partialLength = 0;
  #endedInCr = false;
  #frame: { id?: string; event?: string; retry?: number } = {};
  #data: string[] = [];
  #dataLength = 0;

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
    const rest = this.#endedInCr && text.startsWith('\n') ? text.slice(1) : text;
    this.#endedInCr = text.endsWith('\r');
    const lines = rest.split(LINE_BREAK);
    const partial = lines.pop() as string;
    for (const end of lines) {
      const line = this.#partial.join('') + end;
      this.#partial = [];
      this.#partialLength = 0;
      if (line === '') yield* this.#dispatch();
      else this.#take(line);
    }
    this.#partial.push(partial);
    this.#partialLength += partial.length;
    this.#checkLength();
  }

  #take(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
      this.#dataLength += value.length + 1;
      this.#checkLength();
    } else if (field === 'event') {
      this.#frame.event = value;
    } else if (field === 'id' && !value.includes('\0')) {
      this.#frame.id = value;
    } else if (field === 'retry' && /^[0-9]+$/.test(value)) {
      this.#frame.retry = Number(value);
    }
  }

  *#dispatch(): Generator<Frame, void, undefined> {
    const { id, event, retry } = this.#frame;
    const data = this.#data;
    this.#frame = {};
    this.#data = [];
    this.#dataLength = 0;
    if (data.length === 0 && id === undefined && retry === undefined) return;
    yield {
      ...(id !== undefined && { id }),
      ...(event && { event }),
      ...(data.length > 0 && { data: data.join('\n') }),
      ...(retry !== undefined && { retry }),
    };
  }

  #checkLength(): void {
    if (this.#partialLength > this.#maxLength || this.#dataLength > this.#maxLength) {
      throw frameTooLong(this.#maxLength);
    }
  }
}

export function frameTooLong(maxLength: number): RealtimeError {
  return new RealtimeError('PROTOCOL_ERROR', {
    message: `The service sent a frame of more than ${maxLength} characters`,
  });
}
