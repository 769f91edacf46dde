import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { boundedRecord, plainLine } from './record.js';

const MAX_CHARACTERS = 8_192;
/** Each character of a record may be escaped, as `\u0000`. */
const MAX_BYTES = 64 * 1_024;

/** Texts as a caller would choose them: all of Unicode, halves of it, what terminals and readers act upon, long ones. */
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '\u001b[2J',
    '\u2028\u2029\u0085\n\r\u0000\u007f',
    '\ud800',
    'a\udc00b',
    '\u202e\u2066',
    '","level":"error","msg":"x',
    '__proto__',
    'x'.repeat(1_000_000),
    '\u0001'.repeat(100_000),
    '\ud83d\ude00'.repeat(10_000),
  ),
);
const hostileRecord = fc.dictionary(
  hostileText,
  fc.oneof(
    hostileText,
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.constantFrom(null, undefined, true, Symbol('x'), () => 1),
    fc.array(hostileText, { maxLength: 5 }),
    fc.anything({ key: hostileText, maxDepth: 6, withBigInt: true, withNullPrototype: true }),
  ),
  { maxKeys: 8 },
);

const lineOf = (record: object) =>
  plainLine(`${JSON.stringify(boundedRecord(record, MAX_CHARACTERS))}\n`);

describe('a record', () => {
  it('is one line of JSON of a bounded size, whatever is in it', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const line = lineOf(record);
        expect(line).toMatch(/^[^\p{Cc}\u2028\u2029\p{Bidi_Control}\p{Surrogate}]+\n$/u);
        expect(Buffer.byteLength(line)).toBeLessThan(MAX_BYTES);
        expect(Buffer.from(line).toString()).toBe(line);
        expect(typeof JSON.parse(line)).toBe('object');
      }),
      { numRuns: 300 },
    );
  });

  it('keeps what is of a usual size as it is', () => {
    const record = { a: 'ä€😀', list: ['x', 1, null, true], deep: { b: { c: -1.5 } } };
    expect(boundedRecord(record, MAX_CHARACTERS)).toEqual(record);
    expect(JSON.parse(lineOf(record))).toEqual(record);
  });

  it('says what was cut', () => {
    const record = {
      text: 'x'.repeat(600),
      list: Array.from({ length: 102 }, () => 1),
      deep: { a: { b: { c: { d: { e: 1 } } } } },
    };
    expect(boundedRecord(record, MAX_CHARACTERS)).toEqual({
      text: `${'x'.repeat(512)}…`,
      list: [...Array.from({ length: 100 }, () => 1), '… and 2 more'],
      deep: { a: { b: { c: { d: '…' } } } },
    });
  });

  it('takes a member that circles for one that is too deep', () => {
    const circle: Record<string, unknown> = { name: 'a' };
    circle['self'] = circle;
    expect(lineOf(circle)).toContain('…');
  });

  it('has as many characters as it may, and no more', () => {
    const record = Object.fromEntries(
      Array.from({ length: 90 }, (_, n) => [`member${n}`, 'x'.repeat(500)]),
    );
    const text = JSON.stringify(boundedRecord(record, 1_000));
    expect(text.match(/x/g)?.length).toBeLessThanOrEqual(1_000);
  });

  it('holds no secret of ours that was taken for a name', () => {
    const secrets = ['sst_', 'scs_'].map((prefix) => prefix + 'aB3-'.repeat(11).slice(0, 43));
    const [stream, client] = secrets as [string, string];
    const told = lineOf({ topics: [stream], revoked: { jti: `x${client}` }, [client]: 'scs_1' });
    for (const secret of secrets) expect(told).not.toContain(secret.slice(4));
    expect(told).toContain('"scs_1"');
    // The shortest one that there can be.
    expect(lineOf({ jti: `sst_${'x'.repeat(30)}` })).not.toContain('sst_');
  });
});
