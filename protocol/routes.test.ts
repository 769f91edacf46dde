import { describe, expect, it } from '@jest/globals';
import { eventsPath, isPermission, isWorkspace, PARAMETERS, PERMISSIONS } from '@sluice/protocol';
import fc from 'fast-check';

describe('the name of a workspace', () => {
  it.each(['acme', 'Acme', 'a', '0', '-', '_', 'a-b_C9', 'a'.repeat(64), 'constructor'])(
    'may be %j',
    (text) => {
      expect(isWorkspace(text)).toBe(true);
      expect(eventsPath(text)).toBe(`/realtime/workspace/${text}/events`);
    },
  );

  it.each([
    '',
    'a'.repeat(65),
    'a b',
    'a/b',
    'a\\b',
    '.',
    '..',
    'a.b',
    '*',
    'a\n',
    'a\0',
    'a%2Fb',
    'é',
    'аcme',
    'acme\u202e',
    'acme\ufeff',
  ])('may not be %j', (text) => {
    expect(isWorkspace(text)).toBe(false);
  });
});

describe('the path of a workspace’s events', () => {
  it('keeps whatever it is given within one segment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const path = eventsPath(text);
        const segments = path.split('/');
        expect(segments).toHaveLength(5);
        expect(decodeURIComponent(segments[3] ?? '')).toBe(text);
        expect(path).not.toMatch(/[?#\s]/);
      }),
    );
  });
});

describe('the parameters of a subscription', () => {
  it('have distinct names that need no encoding', () => {
    const names = Object.values(PARAMETERS);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(encodeURIComponent(name)).toBe(name);
  });
});

describe('a permission', () => {
  it.each(PERMISSIONS)('is %s', (permission) => {
    expect(isPermission(permission)).toBe(true);
  });

  it.each(['', 'realtime', 'realtime:*', 'REALTIME:SUBSCRIBE', 'realtime:subscribe ', null, 0, {}])(
    'is not %j',
    (value) => {
      expect(isPermission(value)).toBe(false);
    },
  );
});
