import { describe, expect, it } from '@jest/globals';
import { PERMISSIONS, type Permission } from '@sluice/protocol';
import { newEnforcer, newModelFromString, StringAdapter } from 'casbin';
import fc from 'fast-check';
import { POLICY_MODEL, Policy } from './policy.js';
import { readPolicyRules } from './policy-rules.js';

async function decide(
  policy: string,
  subject: string,
  {
    roles = [],
    workspace = 'acme',
    permission = 'realtime:subscribe',
  }: { roles?: string[]; workspace?: string; permission?: Permission } = {},
) {
  const { allowed, topics = ['*'] } = await (await Policy.of(readPolicyRules(policy))).decide(
    { subject, roles: new Set(roles) },
    workspace,
    permission,
  );
  return allowed ? [...topics].sort() : null;
}

describe('a policy', () => {
  it('grants to a name what is granted to it, and to its roles', async () => {
    const policy = `
      p, alice, acme, mine-*, subscribe
      p, reader, acme, news, subscribe
      p, writer, acme, drafts, publish
      g, alice, writer, acme
      g, writer, reader, acme
    `;
    expect(await decide(policy, 'alice')).toEqual(['mine-*', 'news']);
    expect(await decide(policy, 'alice', { permission: 'realtime:publish' })).toEqual(['drafts']);
    expect(await decide(policy, 'bob')).toBeNull();
  });

  it('grants a role in its workspace alone, or in all of them', async () => {
    const policy = `
      p, reader, *, news, subscribe
      g, alice, reader, acme
      g, bob, reader, *
    `;
    expect(await decide(policy, 'alice')).toEqual(['news']);
    expect(await decide(policy, 'alice', { workspace: 'other' })).toBeNull();
    expect(await decide(policy, 'bob', { workspace: 'other' })).toEqual(['news']);
  });

  it('narrows nothing where all topics are among those granted', async () => {
    expect(
      await decide('p, alice, acme, a, subscribe\np, alice, *, *, subscribe', 'alice'),
    ).toEqual(['*']);
  });

  it('grants to the roles of a token what is granted to role:…', async () => {
    const policy = `
      p, role:staff, acme, news, subscribe
      p, editor, acme, drafts, subscribe
      g, role:chief, editor, acme
    `;
    expect(await decide(policy, 'alice', { roles: ['staff'] })).toEqual(['news']);
    expect(await decide(policy, 'alice', { roles: ['chief', 'staff'] })).toEqual([
      'drafts',
      'news',
    ]);
    // A role of a token is no role of the policy by being called the same.
    expect(await decide(policy, 'alice', { roles: ['editor', 'Staff', ''] })).toBeNull();
  });

  it('grants nothing to a subject that is called like a role', async () => {
    const policy = `
      p, editor, acme, drafts, subscribe
      p, role:staff, acme, news, subscribe
      g, alice, editor, acme
    `;
    expect(await decide(policy, 'alice')).toEqual(['drafts']);
    expect(await decide(policy, 'editor')).toBeNull();
    expect(await decide(policy, 'role:staff')).toBeNull();
  });

  it('is not led round in circles', async () => {
    const policy = `
      g, alice, one, acme
      g, one, two, acme
      g, two, one, acme
      g, two, two, *
      p, two, acme, news, subscribe
    `;
    expect(await decide(policy, 'alice')).toEqual(['news']);
  });

  it('takes a rule that is there twice', async () => {
    const rule = 'p, alice, acme, news, subscribe\n';
    const membership = 'g, bob, alice-like, acme\n';
    expect(await decide(rule + rule + membership + membership, 'alice')).toEqual(['news']);
  });

  it('decides as casbin does by the same model', async () => {
    const name = fc.constantFrom('u1', 'u2', 'r1', 'r2', 'r3');
    const domain = fc.constantFrom('acme', 'other', '*');
    const grant = fc
      .tuple(name, domain, fc.constantFrom('a', 'b-*', '*'), fc.constantFrom('publish', 'presence'))
      .map((fields) => `p, ${fields.join(', ')}`);
    const membership = fc
      .tuple(name, fc.constantFrom('r1', 'r2', 'r3'), domain)
      .map((fields) => `g, ${fields.join(', ')}`);
    const policies = fc
      .tuple(
        fc.array(grant, { minLength: 1, maxLength: 8 }),
        fc.array(membership, { maxLength: 8 }),
      )
      .map(([grants, memberships]) => [...grants, ...memberships].join('\n'));
    await fc.assert(
      fc.asyncProperty(policies, async (text) => {
        const full = text.replace(/, (publish|presence)$/gm, ', realtime:$1');
        const reference = await newEnforcer(
          newModelFromString(POLICY_MODEL),
          new StringAdapter(full),
        );
        await reference.addNamedDomainMatchingFunc(
          'g',
          (asked, known) => known === '*' || asked === known,
        );
        for (const subject of ['u1', 'u2']) {
          for (const workspace of ['acme', 'other', 'third']) {
            for (const permission of PERMISSIONS) {
              const granted = await decide(text, subject, { workspace, permission });
              for (const topic of ['a', 'b-*', '*']) {
                const isGranted = granted?.includes('*') ? '*' : topic;
                const expected =
                  (await reference.enforce(subject, workspace, topic, permission)) ||
                  (await reference.enforce(subject, workspace, '*', permission));
                expect(granted?.includes(isGranted) ?? false).toBe(expected);
              }
            }
          }
        }
      }),
      { numRuns: 30 },
    );
  }, 30_000);
});
