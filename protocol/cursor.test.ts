import { describe, expect, it } from '@jest/globals';
import { formatCursor, parseCursor } from '@sluice/protocol';

describe('a cursor', () => {
  it('reads back what it writes', () => {
    expect(parseCursor(formatCursor('01JD3Z8Q', 42))).toEqual({ epoch: '01JD3Z8Q', offset: 42 });
    expect(parseCursor(formatCursor('01JD3Z8Q', 0))).toEqual({ epoch: '01JD3Z8Q', offset: 0 });
  });

  it.each([
    '',
    '42',
    '01JD3Z8Q',
    '01JD3Z8Q-',
    '01JD3Z8Q-01',
    '01JD3Z8Q--1',
    '01jd3z8q-1',
    '01JD3Z8Q-1e3',
    '01JD3Z8Q-1\n',
    `01JD3Z8Q-${'9'.repeat(16)}`,
    '01JD3Z8U-1',
  ])('does not take %j for a cursor', (text) => {
    expect(parseCursor(text)).toBeNull();
  });
});
