import { describe, expect, it } from '@jest/globals';
import { findToken, MAX_TOKEN_LENGTH } from './find-token.js';

const find = (authorization: readonly string[], query = '') =>
  findToken({ authorization, query: new URLSearchParams(query) });
const LONGEST = 'a'.repeat(8_192);

describe('the token of a request', () => {
  it.each<[string, string[], string, string]>([
    ['the header', ['Bearer abc'], '', 'abc'],
    ['a header in small letters, with spaces', ['bearer   abc'], '', 'abc'],
    ['the query', [], 'access_token=a%2Bb', 'a+b'],
    ['the query, where the header is of another scheme', ['Basic abc'], 'access_token=abc', 'abc'],
    ['a header of the greatest length', [`Bearer ${LONGEST}`], '', LONGEST],
    ['a parameter of the greatest length', [], `access_token=${LONGEST}`, LONGEST],
  ])('comes from %s', (_, authorization, query, token) => {
    expect(MAX_TOKEN_LENGTH).toBe(LONGEST.length);
    expect(find(authorization, query)).toEqual({
      kind: 'access',
      token,
      isInQuery: query !== '',
    });
  });

  it.each<[string, string[], string, string]>([
    ['nothing', [], '', 'MISSING_TOKEN'],
    ['an empty header', [''], '', 'MISSING_TOKEN'],
    ['another scheme', ['Basic abc'], '', 'MISSING_TOKEN'],
    ['a scheme that begins alike', ['BearerX abc'], '', 'MISSING_TOKEN'],
    ['a parameter of another name', [], 'token=abc', 'MISSING_TOKEN'],
    ['a scheme alone', ['Bearer'], '', 'INVALID_REQUEST'],
    ['a scheme and a space', ['Bearer '], '', 'INVALID_REQUEST'],
    ['two words', ['Bearer a b'], '', 'INVALID_REQUEST'],
    ['a word and a space', ['Bearer a '], '', 'INVALID_REQUEST'],
    ['two headers', ['Bearer a', 'Bearer a'], '', 'INVALID_REQUEST'],
    [
      'two headers of which one is of another scheme',
      ['Basic a', 'Bearer a'],
      '',
      'INVALID_REQUEST',
    ],
    ['header and query', ['Bearer a'], 'access_token=a', 'INVALID_REQUEST'],
    ['header and empty query', ['Bearer a'], 'access_token=', 'INVALID_REQUEST'],
    ['header and stream token', ['Bearer a'], 'stream_token=a', 'INVALID_REQUEST'],
    ['both parameters', [], 'access_token=a&stream_token=a', 'INVALID_REQUEST'],
    ['a parameter twice', [], 'access_token=a&access_token=a', 'INVALID_REQUEST'],
    ['an empty parameter', [], 'access_token', 'INVALID_REQUEST'],
    ['an empty stream token', [], 'stream_token=', 'INVALID_REQUEST'],
    ['a list', [], 'access_token[0]=a', 'INVALID_REQUEST'],
    ['an encoded list', [], 'stream_token%5b%5d=a', 'INVALID_REQUEST'],
    ['one character too many in the header', [`Bearer ${LONGEST}a`], '', 'INVALID_REQUEST'],
    ['one character too many in the query', [], `access_token=${LONGEST}a`, 'INVALID_REQUEST'],
  ])('is not found in %s', (_, authorization, query, code) => {
    expect(() => find(authorization, query)).toThrow(expect.objectContaining({ code }));
  });

  it('can be a stream token', () => {
    expect(find([], 'stream_token=abc')).toEqual({ kind: 'stream', token: 'abc', isInQuery: true });
  });

  it('is never repeated by a refusal', () => {
    for (const given of [['Bearer s3cr3t x'], ['Bearer s3cr3t', 'Bearer s3cr3t']]) {
      expect(() => find(given)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('s3cr3t') }),
      );
    }
  });
});
