import { describe, expect, it } from '@jest/globals';
import { claimsPermissionChecker } from './claims-permission-checker.js';

const ask = (claims: Record<string, unknown>) =>
  claimsPermissionChecker.check({
    principal: { subject: 'alice', workspaces: ['acme'], expiresAt: 0, claims },
    workspace: 'acme',
    permission: 'realtime:publish',
    topics: null,
  });

describe('the permission in the token', () => {
  it.each([
    { permissions: ['realtime:publish'] },
    { permissions: ['realtime:subscribe', 'realtime:publish'] },
    { scope: 'realtime:publish' },
    { scope: 'openid realtime:publish profile' },
    { permissions: [], scope: 'realtime:publish' },
    { permissions: 'none', scope: 'realtime:publish' },
  ])('is found in %j', (claims) => {
    expect(ask(claims)).toEqual({ allowed: true });
  });

  it.each([
    {},
    { permissions: [] },
    { permissions: ['realtime:subscribe', 'realtime:publish '] },
    { permissions: 'realtime:publish' },
    { permissions: { 0: 'realtime:publish', length: 1 } },
    { permissions: [['realtime:publish']] },
    { permissions: ['*', 'realtime:*', 'REALTIME:PUBLISH'] },
    { scope: ['realtime:publish'] },
    { scope: 'realtime:publisher' },
    { scope: 'realtime:subscribe,realtime:publish' },
    { scope: '' },
    { scopes: 'realtime:publish', scp: ['realtime:publish'] },
  ])('is not found in %j', (claims) => {
    expect(ask(claims)).toEqual({ allowed: false });
  });

  it('is not found in what the claims inherit', () => {
    const inherited = Object.create({ permissions: ['realtime:publish'] });
    expect(ask(inherited)).toEqual({ allowed: false });
  });
});
