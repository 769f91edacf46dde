import { describe, expect, it } from '@jest/globals';
import { ResumePoint } from './resume-point.js';

describe('the resume point', () => {
  it('moves forward and says what was seen already', () => {
    const point = new ResumePoint(null);
    expect(point.advance('01JD3Z8Q-5')).toBe(true);
    expect(point.advance('01JD3Z8Q-5')).toBe(false);
    expect(point.advance('01JD3Z8Q-4')).toBe(false);
    expect(point.cursor).toBe('01JD3Z8Q-5');
    expect(point.advance('01JD3Z8Q-10')).toBe(true);
    expect(point.cursor).toBe('01JD3Z8Q-10');
  });

  it('takes a smaller offset of another epoch for new', () => {
    const point = new ResumePoint('01JD3Z8Q-5');
    expect(point.advance('02ABCDEF-1')).toBe(true);
    expect(point.cursor).toBe('02ABCDEF-1');
  });

  it('moves back only after a gap', () => {
    const point = new ResumePoint('01JD3Z8Q-5');
    point.moveTo('01JD3Z8Q-2');
    expect(point.cursor).toBe('01JD3Z8Q-2');
  });

  it.each(['', 'häh-€', 'abc'])('stays where it is for %j', (id) => {
    const point = new ResumePoint('01JD3Z8Q-5');
    expect(point.advance(id)).toBe(false);
    point.moveTo(id);
    expect(point.cursor).toBe('01JD3Z8Q-5');
  });
});
