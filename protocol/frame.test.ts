import { describe, expect, it } from '@jest/globals';
import { encodeFrame, type Frame, hasControlCharacter, TERMINAL_RETRY_MS } from '@sluice/protocol';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';

/** What an independent reader makes of the bytes of a stream. */
interface Reading {
  readonly events: EventSourceMessage[];
  readonly comments: string[];
  readonly retries: number[];
  readonly errors: string[];
}

/** Feeds a stream to the reader in the given chunks, decoded as a client decodes them. */
function read(chunks: Iterable<Uint8Array>): Reading {
  const reading: Reading = { events: [], comments: [], retries: [], errors: [] };
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: (event) => reading.events.push(event),
    onComment: (comment) => reading.comments.push(comment),
    onRetry: (retry) => reading.retries.push(retry),
    onError: (error) => reading.errors.push(error.message),
  });
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  parser.feed(decoder.decode());
  return reading;
}

function readWhole(...frames: readonly Frame[]): Reading {
  return read([Buffer.from(frames.map(encodeFrame).join(''))]);
}

/** What UTF-8 makes of a text: a lone surrogate becomes U+FFFD. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

/** What a text becomes on the way: line breaks of every kind are LF. */
function received(text: string): string {
  return wellFormed(text.replace(/\r\n|\r/g, '\n'));
}

/** Texts out of what a stream is made of: whatever could be taken for a field, a line break or the end of a frame. */
const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\r', ' ', ':', '\0', '\u2028', '\u2029'),
      fc.constantFrom('data', 'data: forged', 'id: 1-1', 'event: stream.error', 'retry: 1'),
      fc.constantFrom('\u0085', '\v', '\f', '\u007f', '\ufeff', '\ud800', '\udc00', '😀', 'é', 'a'),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));

/** Any sequence of UTF-16 code units, also such as are no Unicode. */
const codeUnits = fc
  .array(fc.nat({ max: 0xffff }), { maxLength: 30 })
  .map((units) => String.fromCharCode(...units));

const anyText = fc.oneof(hostileText, fc.string({ unit: 'binary' }), codeUnits);
const fieldText = anyText.filter((text) => !hasControlCharacter(text));

/** Splits bytes at random places, also in the middle of a character or of a line break. */
function splitAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

describe('a frame', () => {
  it('writes its fields in one order, each on its own line', () => {
    expect(
      encodeFrame({ comment: 'hi', retry: 5, id: 'A-1', event: 'stream.gap', data: '{"a":\n1}' }),
    ).toBe(': hi\nretry: 5\nid: A-1\nevent: stream.gap\ndata: {"a":\ndata: 1}\n\n');
    expect(encodeFrame({ comment: 'ping' })).toBe(': ping\n\n');
    expect(encodeFrame({ data: '' })).toBe('data: \n\n');
    expect(encodeFrame({ id: '' })).toBe('id: \n\n');
  });

  it('carries any data to the reader unchanged', () => {
    fc.assert(
      fc.property(anyText, (data) => {
        expect(readWhole({ data }).events).toEqual([{ data: received(data) }]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('arrives whole however the bytes of the stream are cut', () => {
    const frame = fc.record(
      { id: fieldText, event: fieldText, data: anyText, comment: anyText },
      { requiredKeys: ['data'] },
    );
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (frames, cuts) => {
          const bytes = Buffer.from(frames.map(encodeFrame).join(''));
          const expected = frames.map(({ id, event, data }) => ({
            id: id === undefined ? undefined : wellFormed(id),
            // A reader takes an empty name for none.
            event: wellFormed(event ?? '') || undefined,
            data: received(data),
          }));
          expect(read(splitAt(bytes, cuts)).events).toEqual(expected);
          expect(read(Array.from(bytes, (byte) => Uint8Array.of(byte))).events).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is not disturbed by comments around it and in it', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (before, inside, data) => {
        const reading = readWhole(
          { comment: before },
          { id: '01JD3Z8Q-1', data, comment: inside },
          { comment: before },
        );
        expect(reading.events).toEqual([{ id: '01JD3Z8Q-1', data: received(data) }]);
        expect(reading.comments).toEqual(
          [before, inside, before].flatMap((comment) => received(comment).split('\n')),
        );
        expect(reading.errors).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('lets no input forge a field: it is refused, or read as exactly what went in', () => {
    const frame = fc.record(
      {
        id: anyText,
        event: anyText,
        data: anyText,
        comment: anyText,
        retry: fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-0, 0, TERMINAL_RETRY_MS)),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(frame, (input) => {
        const mayStand =
          ![input.id, input.event].some(
            (text) => text !== undefined && hasControlCharacter(text),
          ) &&
          (input.retry === undefined ||
            (Number.isInteger(input.retry) &&
              input.retry >= 0 &&
              input.retry <= TERMINAL_RETRY_MS));
        if (!mayStand) {
          expect(() => encodeFrame(input)).toThrow(RangeError);
          return;
        }
        const { id, event, data, comment, retry } = input;
        expect(readWhole(input, { data: 'the next event' })).toEqual({
          events: [
            ...(data === undefined
              ? []
              : [
                  {
                    id: id === undefined ? undefined : wellFormed(id),
                    event: wellFormed(event ?? '') || undefined,
                    data: received(data),
                  },
                ]),
            { data: 'the next event' },
          ],
          comments: comment === undefined ? [] : received(comment).split('\n'),
          retries: retry === undefined ? [] : [retry + 0],
          errors: [],
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(['\n', '\r', '\r\n', '\0', '\t', '\u001f', '\u007f', '\u0085', '\u009f'])(
    'refuses %j in the fields of one line',
    (character) => {
      for (const text of [character, `a${character}`, `${character}a`, `a${character}b`]) {
        expect(() => encodeFrame({ id: text, data: '' })).toThrow(RangeError);
        expect(() => encodeFrame({ event: text, data: '' })).toThrow(RangeError);
      }
    },
  );

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, TERMINAL_RETRY_MS + 1, 1e21])(
    'refuses to have a reader wait %d ms',
    (retry) => {
      expect(() => encodeFrame({ retry })).toThrow(RangeError);
    },
  );

  it('names the field that cannot stand and does not repeat its value', () => {
    expect(() => encodeFrame({ id: 'secret\n' })).toThrow(/"id"/);
    expect(() => encodeFrame({ id: 'secret\n' })).not.toThrow(/secret/);
  });
});
