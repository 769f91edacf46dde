import { describe, expect, it } from '@jest/globals';
import {
  type EventDefaults,
  type EventReading,
  MAX_DATA_DEPTH,
  MAX_NAME_LENGTH,
  readCloudEvent,
  readShortEvent,
} from '@sluice/protocol';
import fc from 'fast-check';

const DEFAULTS: EventDefaults = {
  id: () => 'made-id',
  source: '/workspaces/acme',
  time: () => '2026-01-02T03:04:05.678Z',
};

const SHORT = { topic: 'orders', type: 'order.created', data: { n: 1 } };
const CLOUD = { ...SHORT, specversion: '1.0', id: 'e-1', source: 'https://shop.example/orders' };

/** A value as it comes off the wire: an own `__proto__` member stays one. */
const parsed = (json: string): unknown => JSON.parse(json);
const nested = (depth: number): unknown => parsed(`${'['.repeat(depth)}${']'.repeat(depth)}`);

function faultOf(reading: EventReading): string | null {
  return 'fault' in reading ? reading.fault : null;
}

describe('the short form of an event', () => {
  it('gets what its publisher left open', () => {
    expect(readShortEvent(SHORT, DEFAULTS)).toEqual({
      event: {
        specversion: '1.0',
        id: 'made-id',
        source: '/workspaces/acme',
        time: '2026-01-02T03:04:05.678Z',
        ...SHORT,
      },
    });
  });

  it('keeps what its publisher gave', () => {
    const given = {
      ...SHORT,
      id: 'e-7',
      source: 'urn:shop',
      time: '2020-02-29T23:59:59+02:00',
      subject: 'order 7',
      partitionkey: 'seven',
      sequence: 7,
      urgent: false,
    };
    expect(readShortEvent(given, DEFAULTS)).toEqual({ event: { specversion: '1.0', ...given } });
  });

  it.each([null, false, 0, 'text', [], [SHORT], undefined])('is not %j', (value) => {
    expect(faultOf(readShortEvent(value, DEFAULTS))).toBe('is not a JSON object');
    expect(faultOf(readCloudEvent(value, DEFAULTS))).toBe('is not a JSON object');
  });
});

describe('a CloudEvent', () => {
  it('is kept as it came', () => {
    const given = { ...CLOUD, time: '2026-01-02T03:04:05Z', datacontenttype: 'application/json' };
    expect(readCloudEvent(given, DEFAULTS)).toEqual({ event: given });
  });

  it.each(['specversion', 'id', 'source', 'type', 'topic'])('needs its %s', (member) => {
    expect(faultOf(readCloudEvent({ ...CLOUD, [member]: undefined }, DEFAULTS))).toBe(
      `has no "${member}"`,
    );
  });

  it('gets a time where it has none', () => {
    expect(readCloudEvent(CLOUD, DEFAULTS)).toMatchObject({
      event: { time: '2026-01-02T03:04:05.678Z' },
    });
  });
});

describe('an event', () => {
  it.each<[about: string, members: object]>([
    ['no data', { data: undefined }],
    ['data that is null', { data: null }],
    ['data that is text with control characters', { data: 'a\r\n\0\u2028' }],
    ['data in base64', { data: undefined, data_base64: 'AAECAw==' }],
    ['data of the greatest depth', { data: nested(MAX_DATA_DEPTH) }],
    ['the longest topic', { topic: 'a'.repeat(MAX_NAME_LENGTH) }],
    ['a type beyond ASCII', { type: 'bestellung.geändert' }],
    ['a leap day', { time: '2024-02-29T00:00:00Z' }],
    ['a time with nine decimals', { time: '2024-01-01T00:00:00.123456789Z' }],
    ['a time in lower case', { time: '2024-01-01t00:00:00z' }],
    ['a time with an offset', { time: '2024-01-01T00:00:00-23:59' }],
    ['an extension of twenty letters', { [`a${'1'.repeat(19)}`]: 'x' }],
    ['an extension named like a member of every object', { constructor: 'x' }],
    ['an attribute that is unset by null', { subject: null, partitionkey: null }],
  ])('may have %s', (_, members) => {
    expect(faultOf(readShortEvent({ ...SHORT, ...members }, DEFAULTS))).toBeNull();
    expect(faultOf(readCloudEvent({ ...CLOUD, ...members }, DEFAULTS))).toBeNull();
  });

  it.each<[about: string, members: object, fault: RegExp]>([
    ['another version', { specversion: '0.3' }, /specversion/],
    ['a version that is a number', { specversion: 1 }, /specversion/],
    ['an empty topic', { topic: '' }, /"topic"/],
    ['a topic that is a list', { topic: ['orders'] }, /"topic"/],
    ['a topic that is a pattern', { topic: 'orders.*' }, /"topic"/],
    ['a topic with white space', { topic: 'my orders' }, /"topic"/],
    ['a topic that is too long', { topic: 'a'.repeat(MAX_NAME_LENGTH + 1) }, /"topic"/],
    ['a topic with a line break', { topic: 'orders\ndata: forged' }, /"topic"/],
    ['a type with a carriage return', { type: 'a\rb' }, /"type"/],
    ['a type with NUL', { type: 'a\0' }, /"type"/],
    ['a type with a lone surrogate', { type: '\ud800' }, /"type"/],
    ['no type', { type: undefined }, /has no "type"/],
    ['an empty id', { id: '' }, /"id"/],
    ['an id that is a number', { id: 7 }, /"id"/],
    ['an id with a line break', { id: 'a\nb' }, /"id"/],
    ['an id with NUL', { id: '\0' }, /"id"/],
    ['an id that is too long', { id: 'a'.repeat(MAX_NAME_LENGTH + 1) }, /"id"/],
    ['an empty source', { source: '' }, /"source"/],
    ['an empty subject', { subject: '' }, /"subject"/],
    ['a subject that is an object', { subject: {} }, /"subject"/],
    ['a time that is a number', { time: 1_700_000_000 }, /"time"/],
    ['a time without a zone', { time: '2024-01-01T00:00:00' }, /"time"/],
    ['a time that is a date', { time: '2024-01-01' }, /"time"/],
    ['a month that does not exist', { time: '2024-13-01T00:00:00Z' }, /"time"/],
    ['a day that does not exist', { time: '2023-02-29T00:00:00Z' }, /"time"/],
    ['an hour that does not exist', { time: '2024-01-01T24:00:00Z' }, /"time"/],
    ['data twice', { data: 1, data_base64: 'AA==' }, /data_base64/],
    ['base64 that is none', { data: undefined, data_base64: 'a-_b' }, /base64/],
    ['base64 of a wrong length', { data: undefined, data_base64: 'AAAAA' }, /base64/],
    ['an extension in capitals', { partitionKey: 'x' }, /CloudEvents attribute/],
    ['an extension that is too long', { ['a'.repeat(21)]: 'x' }, /CloudEvents attribute/],
    ['an extension that is an object', { partitionkey: {} }, /"partitionkey"/],
    ['an extension that is a fraction', { sequence: 1.5 }, /"sequence"/],
    ['an own member __proto__', parsed('{"__proto__":{"topic":"x"}}') as object, /attribute/],
    ['a prototype in its data', { data: parsed('{"a":[{"__proto__":{}}]}') }, /"data"/],
    ['data a level too deep', { data: nested(MAX_DATA_DEPTH + 1) }, /"data" is nested/],
    ['data of a great depth', { data: nested(10_000) }, /"data" is nested/],
  ])('may not have %s', (_, members, fault) => {
    expect(faultOf(readShortEvent({ ...SHORT, ...members }, DEFAULTS))).toMatch(fault);
    expect(faultOf(readCloudEvent({ ...CLOUD, ...members }, DEFAULTS))).toMatch(fault);
  });

  it('has a time on a day that the calendar has', () => {
    const day = fc.record({
      year: fc.oneof(fc.constantFrom(0, 4, 100, 1900, 2000, 2024), fc.nat(9_999)),
      month: fc.nat(13),
      day: fc.oneof(fc.constantFrom(28, 29, 30, 31), fc.nat(32)),
    });
    const digits = (value: number, length = 2) => String(value).padStart(length, '0');
    fc.assert(
      fc.property(day, ({ year, month, day }) => {
        const date = `${digits(year, 4)}-${digits(month)}-${digits(day)}`;
        const reading = readCloudEvent({ ...CLOUD, time: `${date}T12:00:00Z` }, DEFAULTS);
        // `Date` takes 30 February for 1 March; a day that exists stays itself.
        const exists = new Date(`${date}T00:00Z`).getUTCDate() === day;
        expect(faultOf(reading)).toBe(exists ? null : '"time" is not an RFC 3339 time');
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes nothing from a prototype', () => {
    const inherited = parsed('{"__proto__":{"topic":"orders","type":"order.created"}}');
    expect(faultOf(readShortEvent(inherited, DEFAULTS))).toBe('has no "type"');
    expect(Object.hasOwn(Object.prototype, 'topic')).toBe(false);
    expect(faultOf(readShortEvent(Object.create(SHORT), DEFAULTS))).toBe('has no "type"');
    expect(faultOf(readCloudEvent(Object.create(CLOUD), DEFAULTS))).toBe('has no "specversion"');
  });

  it('does not carry what is unset', () => {
    const reading = readCloudEvent({ ...CLOUD, subject: null, data: null }, DEFAULTS);
    expect(reading).toMatchObject({ event: { data: null } });
    expect('event' in reading && Object.keys(reading.event)).not.toContain('subject');
  });

  it('is named by its faults, never repeated by them', () => {
    const fault = faultOf(readShortEvent({ ...SHORT, id: 'secret\n' }, DEFAULTS));
    expect(fault).not.toContain('secret');
  });
});

describe('the readers of events', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  const member = fc.oneof(text, fc.integer(), fc.boolean(), fc.jsonValue());
  const members = fc.record(
    {
      topic: fc.oneof({ weight: 5, arbitrary: fc.stringMatching(/^[a-z.]{1,9}$/) }, member),
      type: fc.oneof({ weight: 5, arbitrary: fc.stringMatching(/^[a-z.]{1,9}$/) }, member),
      data: fc.jsonValue(),
      id: text,
      source: text,
      subject: fc.oneof(text, fc.constant(null)),
      time: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      sequence: fc.oneof(fc.integer(), fc.boolean(), fc.jsonValue()),
    },
    { requiredKeys: ['topic', 'type'] },
  );

  it('agree: what the short form gives is a CloudEvent', () => {
    let accepted = 0;
    fc.assert(
      fc.property(members, (value) => {
        const reading = readShortEvent(value, DEFAULTS);
        if ('fault' in reading) return;
        accepted++;
        const carried = parsed(JSON.stringify(reading.event));
        expect(readCloudEvent(carried, DEFAULTS)).toEqual({ event: carried });
      }),
      { numRuns: 1_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('answer whatever they are given, with an event or with a fault', () => {
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.anything(),
      fc.dictionary(fc.constantFrom(...Object.keys(CLOUD), '__proto__', 'toString'), fc.anything()),
    );
    fc.assert(
      fc.property(anything, (value) => {
        for (const reading of [readShortEvent(value, DEFAULTS), readCloudEvent(value, DEFAULTS)]) {
          if ('fault' in reading) expect(reading.fault).toMatch(/\S/);
          else expect(reading.event).toMatchObject({ specversion: '1.0' });
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('leave what they are given as it is', () => {
    fc.assert(
      fc.property(members, (value) => {
        const before = structuredClone(value);
        readShortEvent(value, DEFAULTS);
        readCloudEvent(value, DEFAULTS);
        expect(value).toEqual(before);
      }),
    );
  });
});
