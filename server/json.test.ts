import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JsonFault, type JsonRules, parseJson } from './json.js';

const parse = (text: string, rules: Partial<JsonRules> = {}) =>
  parseJson(Buffer.from(text), { maxDepth: 1_000, ...rules });

function faultOf(text: string | Uint8Array, maxDepth = 1_000): string | null {
  try {
    parseJson(Buffer.from(text), { maxDepth });
    return null;
  } catch (error) {
    if (error instanceof JsonFault) return error.message;
    throw error;
  }
}

/** Characters that a look at names and brackets could stumble over. */
const tricky = fc.string({
  unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ':', ',', 'a', 'ä'),
});
/** A way to put JSON into more JSON. */
const wrapper = fc.constantFrom<(inner: string) => string>(
  (inner) => `[${inner}]`,
  (inner) => `[1,"]",${inner},{}]`,
  (inner) => `{"a":${inner}}`,
  (inner) => `{"}\\"":{},"a":${inner},"b":"a"}`,
  (inner) => ` {\n"a" :\t${inner} } `,
);
const wrappers = fc.array(wrapper, { maxLength: 30 });
const wrap = (inner: string, around: readonly ((inner: string) => string)[]) =>
  around.reduce((text, put) => put(text), inner);
/** A name as JSON may write it: each character plain or escaped. */
const writtenTwice = fc
  .array(fc.tuple(fc.constantFrom(...'abc"\\/{}[]:,é'), fc.boolean(), fc.boolean()), {
    maxLength: 8,
  })
  .map((characters) =>
    [1, 2].map((at) => `"${characters.map((one) => written(one, at)).join('')}"`),
  );

function written(character: readonly [string, boolean, boolean], at: number): string {
  const [plain] = character;
  if (!character[at]) return JSON.stringify(plain).slice(1, -1);
  return `\\u${plain.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

describe('reading JSON', () => {
  it('gives whatever was written as JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(JSON.stringify(parse(text), null, indent)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is not misled by texts that look like structure', () => {
    fc.assert(
      fc.property(
        fc.dictionary(tricky, fc.array(tricky, { maxLength: 3 })),
        wrappers,
        (value, around) => {
          const text = wrap(JSON.stringify(value), around);
          expect(parse(text)).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('refuses a name that stands twice, at any depth and however it is written', () => {
    fc.assert(
      fc.property(writtenTwice, wrappers, ([first, second], around) => {
        const text = wrap(`{${first}:1,"other":[{"x":1}],${second}:1}`, around);
        expect(() => JSON.parse(text)).not.toThrow();
        expect(faultOf(text)).toBe('has the same name twice in an object');
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes nothing that JSON does not', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]:,"\\ \n1a') }), (text) => {
        if (faultOf(text) === null) expect(parse(text)).toEqual(JSON.parse(text));
        else expect(() => parse(text)).toThrow(JsonFault);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}',
    '["a","a",["a"]]',
    '{"a":"a","b":"a:"}',
    '{"a":["b","c"],"b":1,"c":2}',
    '{"A":1,"a":2}',
    '{"__proto__":1,"constructor":2}',
  ])('takes %s, in which no name stands twice in one object', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":1}',
    '{"\\u0061":1, "b":{}, "a":1}',
    '{"__proto__":1,"__proto__":1}',
    '[{"a":[1,{"b":{},"b":{}}]}]',
    '{"":1,"":1}',
    '{"a":{"a":1},"a":1}',
    '{"a":1,"b":{"a":[{"c":1}],"a":1}}',
    '{"a":{"b":1,"c":2},"a":{"d":3}}',
  ])('refuses %s', (text) => {
    expect(faultOf(text)).toBe('has the same name twice in an object');
  });

  it('looks as closely at what is deeply nested', () => {
    for (const levels of [99, 100, 101, 500]) {
      const put = (inner: string) => `${'{"a":'.repeat(levels)}${inner}${'}'.repeat(levels)}`;
      expect(parse(put('{"a":1}'))).toEqual(JSON.parse(put('{"a":1}')));
      expect(faultOf(put('{"b":1,"b":2}'))).toBe('has the same name twice in an object');
      expect(faultOf(put('{"b":1,}'))).toBe('is not valid JSON');
    }
  });

  it('tells of the first fault where there are several', () => {
    expect(faultOf('{"a":1,"a":2')).toBe('has the same name twice in an object');
    expect(faultOf('[{"a":1,"a":2},[[[]]]]', 3)).toBe('has the same name twice in an object');
    expect(faultOf('[[[[]]],{"a":1,"a":2}]', 3)).toBe('is nested deeper than 3 levels');
  });

  it('counts brackets, and not those in texts', () => {
    expect(faultOf(`${'['.repeat(16)}${']'.repeat(16)}`, 16)).toBeNull();
    expect(faultOf(`${'['.repeat(17)}${']'.repeat(17)}`, 16)).toBe(
      'is nested deeper than 16 levels',
    );
    expect(faultOf(`${'{"a":'.repeat(16)}{}${'}'.repeat(16)}`, 16)).toMatch('deeper');
    expect(faultOf('['.repeat(100_000), 16)).toMatch('deeper');
    expect(faultOf(`[${'[],'.repeat(100)}"${'['.repeat(100)}"]`, 2)).toBeNull();
  });

  it.each<[string, number[]]>([
    ['a lone continuation', [0x22, 0x80, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['half a surrogate pair', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a character cut short', [0x22, 0xe2, 0x82]],
    ['bytes of another encoding', [0x22, 0xe9, 0x22]],
  ])('refuses %s', (_, bytes) => {
    expect(faultOf(Uint8Array.from(bytes))).toBe('is not valid UTF-8');
  });

  it.each([
    '',
    ' ',
    '\ufeff{}',
    '{',
    '}',
    ']][[',
    '{"a":1,}',
    '{"a"}',
    '{"a":1}{}',
    "{'a':1}",
    '"',
    '"\\',
    '"\\"',
    '{"\\x":1}',
    '{"\\ud8":1,"a":2}',
    'undefined',
    'NaN',
    '"\n"',
  ])('refuses %j', (text) => {
    expect(faultOf(text)).toBe('is not valid JSON');
  });

  it('says nothing of what it read', () => {
    for (const text of ['{"s3cr3t":1,"s3cr3t":1}', 's3cr3t', '{"\\s3cr3t":1}']) {
      expect(faultOf(text)).not.toContain('s3cr3t');
    }
  });

  it.each<[string, string]>([
    ['escaped quotes without an end', `"${'\\"'.repeat(100_000)}`],
    ['quotes', '"'.repeat(200_001)],
    ['backslashes', `"${'\\'.repeat(200_000)}`],
    ['strings that only begin', '"\\"a'.repeat(50_000)],
  ])('takes time that grows with the length of %s', (_, text) => {
    const startedAt = performance.now();
    expect(faultOf(text)).toBe('is not valid JSON');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('reads a text of the greatest length that a body may have', () => {
    for (const part of ['a', '\\n', '\\"']) {
      const text = part.repeat(16_000_000 / part.length);
      expect(parse(`"${text}"`)).toHaveLength(16_000_000 / part.length);
    }
  });
});
