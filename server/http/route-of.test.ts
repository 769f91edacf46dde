import { describe, expect, it } from '@jest/globals';
import { JWKS_PATH } from '@sluice/protocol';
import fc from 'fast-check';
import { routeOf } from './route-of.js';

const EVENTS = '/realtime/workspace/:ws/events';

describe('the route of an address', () => {
  it.each([
    ['/realtime/workspace/acme/events', EVENTS, 'acme'],
    ['/realtime/workspace/acme/events?access_token=x/y', EVENTS, 'acme'],
    ['http://host.example/realtime/workspace/acme/events?x', EVENTS, 'acme'],
    ['/realtime/workspace/%61cme/stream-tokens', '/realtime/workspace/:ws/stream-tokens', 'acme'],
    ['/realtime/workspace/a.b/revocations', '/realtime/workspace/:ws/revocations', null],
    ['/realtime/workspace/%zz/events', EVENTS, null],
    ['/realtime/workspace/a%2Fb/events', EVENTS, null],
    [`${JWKS_PATH}?x=y`, JWKS_PATH, null],
    ['/realtime/workspace/acme/events/', null, null],
    ['/realtime/workspace/acme/constructor', null, null],
    ['/Realtime/workspace/acme/events', null, null],
    ['/realtime/workspace/a/b/events', null, null],
    ['/', null, null],
    ['*', null, null],
    ['', null, null],
    ['//', null, null],
    [':x?access_token=y', null, null],
  ])('%s', (target, route, workspace) => {
    expect(routeOf(target)).toEqual({ route, workspace });
  });

  it('holds nothing of the address but a name of a workspace', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        for (const target of [text, `/${text}`, `/realtime/workspace/${text}/events`]) {
          const { route, workspace } = routeOf(target);
          expect([EVENTS, null]).toContain(route);
          expect(workspace ?? 'a').toMatch(/^[\w-]{1,64}$/);
        }
      }),
    );
  });
});
