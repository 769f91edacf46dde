import { describe, expect, it } from '@jest/globals';
import { encodeFrame, type Frame } from '@sluice/protocol';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { FrameReader } from './frame-reader.js';

function readAll(chunks: readonly string[], maxLength = 1_000): Frame[] {
  const reader = new FrameReader(maxLength);
  return chunks.flatMap((chunk) => [...reader.feed(chunk)]);
}

/** Cuts `text` at the given places, wherever they fall. */
function cut(text: string, places: readonly number[]): string[] {
  const cuts = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [...cuts, text.length].map((end, i) => text.slice(cuts[i - 1] ?? 0, end));
}

const line = fc.oneof(
  fc.constantFrom(
    '',
    ':',
    ': ping',
    'data',
    'data:',
    'data: ',
    'id',
    'id:',
    'event:',
    'event: message',
  ),
  fc.constantFrom(
    'id: 01JD3Z8Q-1',
    'id: a\0b',
    'retry: 10',
    'retry: 1e3',
    'retry:',
    ' data: x',
    'DATA: x',
  ),
  fc.string().map((text) => `data: ${text.replaceAll(/[\r\n]/g, '')}`),
  fc.string().map((text) => `event: ${text.replaceAll(/[\r\n]/g, '')}`),
);
const eventStream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n', '\n\n')))
  .map((lines) => lines.flat().join(''));
const places = fc.array(fc.nat(200), { maxLength: 8 });

describe('the frame reader', () => {
  it('dispatches what eventsource-parser dispatches, however the text is cut', () => {
    fc.assert(
      fc.property(eventStream, places, (text, cuts) => {
        const expected: EventSourceMessage[] = [];
        const parser = createParser({ onEvent: (event) => expected.push(event) });
        // That parser holds back a CR at the very end, for a LF may follow; a comment makes it let go.
        parser.feed(`${text}:\n`);
        const events = readAll([...cut(text, cuts), ':\n']).filter(
          ({ data }) => data !== undefined,
        );
        expect(events.map(({ id, event, data }) => ({ id, event, data }))).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads what the service writes', () => {
    const frame: fc.Arbitrary<Frame> = fc.record(
      {
        id: fc.constantFrom('01JD3Z8Q-1', '01JD3Z8Q-22'),
        event: fc.constantFrom('stream.gap', 'stream.error'),
        data: fc.string().map((text) => text.replaceAll('\r', '')),
        retry: fc.nat(),
      },
      { requiredKeys: ['id'] },
    );
    fc.assert(
      fc.property(fc.array(frame), places, (written, cuts) => {
        expect(readAll(cut(written.map(encodeFrame).join(''), cuts))).toEqual(written);
      }),
    );
  });

  it('tells of an id without data, which a heartbeat carries, and skips a bare heartbeat', () => {
    expect(readAll([': ping\n\n: ping\nid: 01JD3Z8Q-7\n\n'])).toEqual([{ id: '01JD3Z8Q-7' }]);
  });

  it.each([
    ['a line that does not end', ['data: ', 'x'.repeat(60), 'x'.repeat(60)]],
    ['a frame that does not end', Array.from({ length: 12 }, () => 'data: 1234567890\n')],
    ['a line in one piece', [`data: ${'x'.repeat(101)}\n\n`]],
  ])('refuses %s', (_, chunks) => {
    expect(() => readAll(chunks, 100)).toThrow(expect.objectContaining({ code: 'PROTOCOL_ERROR' }));
  });

  it('counts each frame for itself', () => {
    const frame = `data: ${'x'.repeat(90)}\n\n`;
    expect(readAll([frame.repeat(5)], 100)).toHaveLength(5);
  });
});
