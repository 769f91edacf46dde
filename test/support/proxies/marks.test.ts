import { describe, expect, it } from '@jest/globals';
import { findLeaks, markedJwt, markedOpaque } from './marks.js';

const found = (bytes: string | Buffer) =>
  findLeaks(new Map([['log', Buffer.from(bytes)]])).map(({ form }) => form);
const eachByte = (text: string, write: (hex: string, byte: number) => string) =>
  [...Buffer.from(text)].map((byte) => write(byte.toString(16), byte)).join('');

describe('the search for marked tokens', () => {
  const token = markedJwt();

  it.each<[form: string, bytes: string | Buffer]>([
    ['as it is', `GET /?access_token=${token} HTTP/1.1`],
    ['in capitals', token.toUpperCase()],
    ['cut short', token.slice(20, 35)],
    ['of a stream token', markedOpaque()],
    ['percent-encoded', eachByte(token, (hex) => `%${hex}`)],
    ['percent-encoded in capitals', eachByte(token, (hex) => `%${hex.toUpperCase()}`)],
    ['percent-encoded twice', eachByte(token, (hex) => `%25${hex}`)],
    ['in hexadecimal', Buffer.from(token).toString('hex')],
    ['as Node shows bytes', eachByte(token, (hex) => `${hex} `)],
    ['escaped for nginx', eachByte(token, (hex) => `\\x${hex}`)],
    ['escaped for JSON', eachByte(token, (hex) => `\\u00${hex}`)],
    ['escaped for HAProxy', eachByte(token, (hex) => `#${hex}`)],
    ['in octal', eachByte(token, (_, byte) => `\\${byte.toString(8)}`)],
    ['escaped for HTML', eachByte(token, (_, byte) => `&#${byte};`)],
    ['in UTF-16', Buffer.from(token, 'utf16le')],
    ['in UTF-16, high byte first', Buffer.from(token, 'utf16le').swap16()],
    ['in base64', Buffer.from(token).toString('base64')],
    ['in base64, one byte on', Buffer.from(`x${token}`).toString('base64')],
    ['in base64url, two bytes on', Buffer.from(`xx${token}`).toString('base64url')],
  ])('finds one %s', (_, bytes) => {
    expect(found(bytes)).not.toEqual([]);
  });

  it('finds nothing where there is none', () => {
    expect(found('{"path":"/realtime/workspace/acme/events","status":200}')).toEqual([]);
    expect(found('')).toEqual([]);
  });

  it('tells where it found what', () => {
    const outputs = new Map([
      ['a', Buffer.from('nothing')],
      ['b', Buffer.from('a SECRET here')],
    ]);
    expect(findLeaks(outputs, ['Secret'])).toEqual([
      { where: 'b', form: 'a secret', around: 'a SECRET here' },
    ]);
  });
});
