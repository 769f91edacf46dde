import { describe, expect, it } from '@jest/globals';
import { PolicyFault, readPolicyRules } from './policy-rules.js';

describe('a policy', () => {
  it('is read line by line, with comments, spaces and both kinds of line end', () => {
    const text = [
      '# who may do what',
      'p, alice , acme, orders-*, subscribe',
      '',
      '  # and roles',
      'p,editor,*,*,realtime:publish\r',
      '\tg, auth0|1234, editor, acme',
      'g, role:staff, editor, *',
    ].join('\n');
    expect(readPolicyRules(text)).toEqual({
      grants: [
        { name: 'alice', workspace: 'acme', topic: 'orders-*', permission: 'realtime:subscribe' },
        { name: 'editor', workspace: '*', topic: '*', permission: 'realtime:publish' },
      ],
      memberships: [
        { name: 'auth0|1234', role: 'editor', workspace: 'acme' },
        { name: 'role:staff', role: 'editor', workspace: '*' },
      ],
    });
  });

  it.each([
    ['p, alice, acme, orders', 'is not "p, name'],
    ['p, alice, acme, orders, subscribe, deny', 'is not "p, name'],
    ['p, , acme, orders, subscribe', 'names nobody'],
    ['p, *, acme, orders, subscribe', 'names nobody'],
    ['p, "alice", acme, orders, subscribe', 'names nobody'],
    [`p, ${'a'.repeat(257)}, acme, orders, subscribe`, 'names nobody'],
    ['p, a\u0000b, acme, orders, subscribe', 'names nobody'],
    ['p, alice, ac me, orders, subscribe', 'does not name a workspace'],
    ['p, alice, ac*, orders, subscribe', 'does not name a workspace'],
    ['p, alice, , orders, subscribe', 'does not name a workspace'],
    ['p, alice, acme, or*de*rs, subscribe', 'does not name a topic'],
    ['p, alice, acme, , subscribe', 'does not name a topic'],
    ['p, alice, acme, orders, read', 'names an action'],
    ['p, alice, acme, orders, *', 'names an action'],
    ['p, alice, acme, orders, Subscribe', 'names an action'],
    ['p, alice, acme, orders, subscribe # comment', 'names an action'],
    ['p, alice, acme, orders, admin', 'grants admin on some topics'],
    ['g, alice, editor', 'is not "g, name'],
    ['g, alice, editor, acme, 2030-01-01', 'is not "g, name'],
    ['g, , editor, acme', 'names nobody'],
    ['g, alice, *, acme', 'does not name a role'],
    ['g, alice, , acme', 'does not name a role'],
    ['g, alice, editor, a/b', 'does not name a workspace'],
    ['g2, alice, editor, acme', 'does not begin with'],
    ['p2, alice, acme, orders, subscribe', 'does not begin with'],
    ['P, alice, acme, orders, subscribe', 'does not begin with'],
    ['alice', 'does not begin with'],
    ['<!doctype html>', 'does not begin with'],
  ])('is refused by line for %j', (line, reason) => {
    const text = `p, bob, acme, *, subscribe\n\n${line}\n`;
    expect(() => readPolicyRules(text)).toThrow(PolicyFault);
    expect(() => readPolicyRules(text)).toThrow(`line 3 ${reason}`);
  });

  it('is refused with its first faults, none of which repeats what stands there', () => {
    const text = Array.from({ length: 50 }, () => 'p, secret-name, acme, orders, read').join('\n');
    let message = '';
    try {
      readPolicyRules(text);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.split('\n')).toHaveLength(10);
    expect(message).toMatch(/^line 1 .*\nline 2 /);
    expect(message).not.toContain('secret-name');
  });

  it.each(['', '\n\n', '# nothing yet\n'])(
    'is refused where there is no rule in it: %j',
    (text) => {
      expect(() => readPolicyRules(text)).toThrow('there is no rule in it');
    },
  );

  it('is refused where there are too many rules in it', () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_, n) => `p, user-${n}, acme, *, subscribe`).join('\n');
    expect(readPolicyRules(rules(20_000)).grants).toHaveLength(20_000);
    expect(() => readPolicyRules(rules(20_001))).toThrow('more than 20000 rules');
  });
});
