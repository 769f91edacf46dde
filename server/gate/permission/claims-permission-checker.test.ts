import { describe, expect, it } from '@jest/globals';
import { PERMISSIONS, type Permission } from '@sluice/protocol';
import {
  CONTRACT_RULES,
  describePermissionChecker,
} from '../../../test/contracts/permission-checker.contract.js';
import { ALICE, QUESTION } from '../../../test/support/gate.js';
import { claimsPermissionChecker } from './claims-permission-checker.js';

describePermissionChecker('the token itself', {
  knowsWorkspaces: false,
  canChangeItsMind: false,
  open: async () => ({
    checker: claimsPermissionChecker,
    claimsOf: (subject) => {
      const rules = CONTRACT_RULES.filter((rule) => rule.subject === subject);
      const isAdmin = rules.some(({ permission }) => permission === 'realtime:admin');
      const map: Record<string, string[]> = {};
      for (const { topic, permission } of rules) map[topic] = [...(map[topic] ?? []), permission];
      return { ...(isAdmin && { scope: 'realtime:admin' }), permissions: map };
    },
  }),
});

const ask = (claims: object, permission: Permission = 'realtime:publish') =>
  claimsPermissionChecker.check(
    {
      ...QUESTION,
      principal: { ...ALICE, claims: claims as Record<string, unknown> },
      permission,
      topics: null,
    },
    new AbortController().signal,
  );
/** What these claims grant, by the short name: on all topics (`*`) or on some. */
const granted = (claims: object) =>
  Object.fromEntries(
    PERMISSIONS.flatMap((permission) => {
      const { allowed, topics = ['*'] } = ask(claims, permission) as {
        allowed: boolean;
        topics?: string[];
      };
      return allowed ? [[permission.slice('realtime:'.length), topics.join(' ')]] : [];
    }),
  );

const ALL = { subscribe: '*', publish: '*', presence: '*', admin: '*' };

describe('the permission in the token', () => {
  it.each([
    { permissions: ['realtime:publish'] },
    { permissions: ['publish'] },
    { permissions: ['read:mail', 'subscribe', 7, 'publish'] },
    { permissions: ['realtime:subscribe', 'realtime:publish'] },
    { scope: 'realtime:publish' },
    { scope: 'openid realtime:publish profile' },
    { permissions: [], scope: 'realtime:publish' },
    { permissions: 'none', scope: 'realtime:publish' },
    { roles: ['service'] },
    { roles: ['reader', 'admin'] },
    { role: 'service' },
    { permissions: [], role: 'admin' },
  ])('is found in %j', (claims) => {
    expect(ask(claims)).toEqual({ allowed: true });
  });

  it.each([
    {},
    { permissions: [] },
    { permissions: ['realtime:subscribe', 'realtime:publish '] },
    { permissions: 'realtime:publish' },
    { permissions: 'publish' },
    { permissions: { 0: 'realtime:publish', length: 1 } },
    { permissions: [['realtime:publish']] },
    { permissions: [['publish']] },
    {
      permissions: ['*', 'realtime:*', 'REALTIME:PUBLISH', 'Publish', 'realtime:realtime:publish'],
    },
    { scope: ['realtime:publish'] },
    { scope: 'publish' },
    { scope: 'realtime:publisher' },
    { scope: 'realtime:subscribe,realtime:publish' },
    { scope: 'openid\trealtime:publish' },
    { scope: '' },
    { scopes: 'realtime:publish', scp: ['realtime:publish'] },
    { roles: ['client'] },
    { roles: 'service' },
    { roles: ['Service', ' service', 'constructor', '__proto__'] },
    { roles: [['service']] },
    { roles: { service: true } },
    { role: ['service'] },
    { role: 'client' },
  ])('is not found in %j', (claims) => {
    expect(ask(claims)).toEqual({ allowed: false });
  });

  it.each([
    { permissions: ['realtime:publish'] },
    { scope: 'realtime:publish' },
    { roles: ['admin'] },
    { role: 'admin' },
  ])('is not found in what the claims inherit: %j', (claims) => {
    expect(ask(Object.create(claims))).toEqual({ allowed: false });
  });
});

describe('the roles in the token', () => {
  it.each([
    ['admin', ALL],
    ['service', { subscribe: '*', publish: '*', presence: '*' }],
    ['client', { subscribe: '*', presence: '*' }],
    ['editor', {}],
  ])('grant to %s just what is its', (role, expected) => {
    expect(granted({ roles: [role] })).toEqual(expected);
    expect(granted({ role })).toEqual(expected);
  });
});

describe('the topics in the token', () => {
  const rooms = ['document-*', 'news'];

  it.each<readonly [string, object, object]>([
    [
      'rooms grant subscribing to them',
      { permissions: { rooms } },
      { subscribe: 'document-* news' },
    ],
    [
      'rooms narrow what a role grants, and not administration',
      { permissions: { rooms }, role: 'admin' },
      {
        ...ALL,
        subscribe: 'document-* news',
        publish: 'document-* news',
        presence: 'document-* news',
      },
    ],
    [
      'rooms narrow what the scope grants',
      { permissions: { rooms: ['news'] }, scope: 'realtime:publish' },
      { subscribe: 'news', publish: 'news' },
    ],
    ['no rooms are no topics', { permissions: { rooms: [] }, role: 'service' }, {}],
    [
      'a map grants each action on its topics alone',
      { permissions: { orders: ['subscribe', 'publish'], 'log-*': ['realtime:subscribe'] } },
      { subscribe: 'orders log-*', publish: 'orders' },
    ],
    [
      'a map narrows what a role grants to the topics it names for that',
      { permissions: { orders: ['publish'] }, role: 'service' },
      { publish: 'orders' },
    ],
    ['an empty map names nothing', { permissions: {}, role: 'admin' }, { admin: '*' }],
    [
      'a map neither grants administration nor takes it',
      { permissions: { '*': ['admin', 'realtime:admin', 'subscribe'] } },
      { subscribe: '*' },
    ],
    [
      'map and rooms together permit what one of them does',
      { permissions: { rooms: ['news'], orders: ['publish'] } },
      { subscribe: 'news', publish: 'orders' },
    ],
    [
      'map and rooms together narrow what the scope grants to either',
      { permissions: { rooms: ['news'], orders: ['publish'] }, scope: 'realtime:publish' },
      { subscribe: 'news', publish: 'orders news' },
    ],
    [
      'actions of others grant nothing',
      { permissions: { orders: ['read', 'subscribe', 'delete'] } },
      { subscribe: 'orders' },
    ],
    [
      'a topic may be called anything',
      JSON.parse('{"permissions":{"__proto__":["publish"]}}'),
      { publish: '__proto__' },
    ],
    [
      '100 patterns are not too many',
      { permissions: { rooms: Array.from({ length: 100 }, () => 'news') } },
      { subscribe: Array.from({ length: 100 }, () => 'news').join(' ') },
    ],
  ])('%s', (_, claims, expected) => {
    expect(granted(claims)).toEqual(expected);
  });

  it.each<readonly [string, object]>([
    ['a pattern with two stars', { '**': ['publish'] }],
    ['a pattern with white space', { 'a b': ['publish'] }],
    ['an empty pattern', { '': ['publish'] }],
    ['actions as a text', { orders: 'publish' }],
    ['an action that is no text', { orders: ['publish', 1] }],
    ['actions as an object', { orders: { publish: true } }],
    ['no actions', { orders: null }],
    ['rooms as a text', { rooms: 'news' }],
    ['rooms as an object', { rooms: { news: true } }],
    ['a room that is no text', { rooms: ['news', null] }],
    ['a room that is no pattern', { rooms: ['news', 'a,b'] }],
    ['rooms that are null', { rooms: null, orders: ['publish'] }],
    ['over 100 patterns', { orders: ['publish'], rooms: Array.from({ length: 100 }, () => 'a') }],
  ])('grant nothing at all where they are malformed: %s', (_, permissions) => {
    expect(granted({ permissions, roles: ['admin'], scope: PERMISSIONS.join(' ') })).toEqual({});
  });
});
