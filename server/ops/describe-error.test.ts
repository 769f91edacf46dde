import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SluiceError } from '../errors.js';
import { JsonFault } from '../json.js';
import { describeError } from './describe-error.js';

const TOKEN = `eyJhbGciOiJSUzI1NiJ9.${'x'.repeat(60)}.${'y'.repeat(86)}`;
const STREAM_TOKEN = 'q'.repeat(43);

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('what a log holds of an error', () => {
  it('is its name, its code and its own words', () => {
    expect(describeError(new SluiceError('FORBIDDEN', 'This origin is not allowed.'))).toEqual({
      name: 'SluiceError',
      message: 'This origin is not allowed.',
      code: 'FORBIDDEN',
    });
    expect(describeError(new JsonFault('is not valid JSON'))).toEqual({
      name: 'JsonFault',
      message: 'is not valid JSON',
    });
    const path = `the file /${'x'.repeat(60)} is not valid`;
    const fault = Object.assign(new Error(path), { name: 'PolicyFault' });
    expect(describeError(fault)).toEqual({ name: 'PolicyFault', message: path });
    const late = Object.assign(new Error('no whole answer'), { name: 'TimeoutError' });
    expect(describeError(late)).toEqual({ name: 'TimeoutError', message: 'no whole answer' });
  });

  it.each<[string, () => unknown]>([
    ['a path that cannot be decoded', () => decodeURIComponent(`%zz${TOKEN}`)],
    ['a document that cannot be read', () => JSON.parse(`{"access_token": ${TOKEN}`)],
    ['an address that is none', () => new URL(`//${TOKEN}`)],
    ['a header that is none', () => new Headers({ [TOKEN]: 'x' })],
    [
      'an error of a library that repeats it in its words',
      () => Object.assign(new Error(`no such key "${TOKEN}" in /?access_token=${TOKEN}`)),
    ],
    ['a stream token in words', () => new Error(`token ${STREAM_TOKEN} is used`)],
    [
      'members beside its words',
      () => Object.assign(new Error('no'), { body: TOKEN, rawPacket: TOKEN, input: TOKEN }),
    ],
    ['a cause of its own', () => new Error('no', { cause: new Error(TOKEN) })],
    ['a name', () => Object.assign(new Error('no'), { name: TOKEN })],
    ['a code', () => Object.assign(new Error('no'), { code: TOKEN })],
    ['a call of the system', () => Object.assign(new Error('no'), { code: TOKEN, syscall: TOKEN })],
    ['lines like those of a stack', () => new Error(`no\n    at ${TOKEN}\n    at more`)],
    [
      'words that were changed later',
      () => Object.assign(new Error(`no\n    at ${TOKEN}`), { message: 'other words' }),
    ],
    ['a text in the place of an error', () => TOKEN],
    ['an object in the place of an error', () => ({ message: TOKEN, stack: TOKEN })],
  ])('is no token, where it came with %s', (_, work) => {
    const told = JSON.stringify(describeError(thrownBy(work), { withStack: true }));
    for (const part of [...TOKEN.split('.'), STREAM_TOKEN]) expect(told).not.toContain(part);
  });

  it('is where it was thrown, if that is asked for', () => {
    const { at, ...rest } = describeError(new RangeError('x'), { withStack: true });
    expect(at?.[0]).toContain('describe-error.test');
    expect(rest).toEqual({ name: 'RangeError' });
    expect(describeError(new RangeError('x'))).toEqual({ name: 'RangeError' });
  });

  it('is bounded, whatever is thrown', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string({ maxLength: 5_000 }), (thrown, text) => {
        const made = Object.assign(new Error(text), { name: text, code: text, syscall: text });
        for (const error of [thrown, made]) {
          expect(JSON.stringify(describeError(error, { withStack: true })).length).toBeLessThan(
            8_192,
          );
        }
      }),
      { numRuns: 100 },
    );
  });
});
