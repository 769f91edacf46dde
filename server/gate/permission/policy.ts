import type { Permission } from '@sluice/protocol';
import { type Enforcer, newEnforcer, newModelFromString } from 'casbin';
import { LRUCache } from 'lru-cache';
import type { Decision } from './permission-checker.js';
import type { PolicyGrant, PolicyRules } from './policy-rules.js';

/** RBAC with domains: a workspace is a domain. `*` is the domain of what holds in all of them. */
export const POLICY_MODEL = `
[request_definition]
r = sub, dom, topic, act

[policy_definition]
p = sub, dom, topic, act

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.sub, r.dom) && (p.dom == "*" || p.dom == r.dom) && r.topic == p.topic && r.act == p.act
`;

/** A role that a token names is another thing than a name of the policy, unless the policy says so. */
const TOKEN_ROLE_PREFIX = 'role:';
const MAX_CACHED = 20_000;

/** Who asks, as the token says. */
export interface PolicySubject {
  readonly subject: string;
  readonly roles: ReadonlySet<string>;
}

/** One reading of a policy. It never changes; another one takes its place. */
export class Policy {
  private readonly decisions = new LRUCache<string, Decision>({ max: MAX_CACHED });

  private constructor(
    private readonly enforcer: Enforcer,
    /** By whom it is granted to: casbin itself would go through all of them for each question. */
    private readonly grants: ReadonlyMap<string, readonly PolicyGrant[]>,
    /** Whatever stands on the left of a rule. To ask for others could bring nothing. */
    private readonly names: ReadonlySet<string>,
    private readonly roles: ReadonlySet<string>,
    private readonly domains: ReadonlySet<string>,
  ) {}

  static async of({ grants, memberships }: PolicyRules): Promise<Policy> {
    const enforcer = await newEnforcer(newModelFromString(POLICY_MODEL));
    await enforcer.addPolicies(
      distinct(
        grants.map(({ name, workspace, topic, permission }) => [
          name,
          workspace,
          topic,
          permission,
        ]),
      ),
    );
    await enforcer.addGroupingPolicies(
      distinct(memberships.map(({ name, role, workspace }) => [name, role, workspace])),
    );
    return new Policy(
      enforcer,
      groupByName(grants),
      new Set([...grants, ...memberships].map(({ name }) => name)),
      new Set(memberships.map(({ role }) => role)),
      new Set(memberships.map(({ workspace }) => workspace)),
    );
  }

  async decide(
    asking: PolicySubject,
    workspace: string,
    permission: Permission,
  ): Promise<Decision> {
    const names = this.namesOf(asking);
    const key = JSON.stringify([permission, workspace, ...names]);
    const known = this.decisions.get(key);
    if (known !== undefined) return known;
    const decision = decisionOf(await this.topicsOf(names, workspace, permission));
    this.decisions.set(key, decision);
    return decision;
  }

  /** To casbin, users and roles are names alike: a user who is called like a role would have it. */
  private namesOf({ subject, roles }: PolicySubject): string[] {
    const isRole = subject.startsWith(TOKEN_ROLE_PREFIX) || this.roles.has(subject);
    const tokenRoles = [...roles].map((role) => TOKEN_ROLE_PREFIX + role);
    return [...(isRole ? [] : [subject]), ...tokenRoles]
      .filter((name) => this.names.has(name))
      .sort();
  }

  private async topicsOf(
    names: readonly string[],
    workspace: string,
    permission: Permission,
  ): Promise<ReadonlySet<string>> {
    const topics = new Set<string>();
    for (const name of await this.withRoles(names, workspace)) {
      for (const grant of this.grants.get(name) ?? []) {
        const isHere = grant.workspace === '*' || grant.workspace === workspace;
        if (isHere && grant.permission === permission) topics.add(grant.topic);
      }
    }
    return topics;
  }

  /** The names with all roles that they have here, the roles of roles among them. */
  private async withRoles(names: readonly string[], workspace: string): Promise<Set<string>> {
    const all = new Set(names);
    const roleManager = this.enforcer.getRoleManager();
    // casbin keeps an entry for each domain that it is asked about, known or not.
    const domains = ['*', workspace].filter((domain) => this.domains.has(domain));
    // A set is gone through to its end, wherever that is by then.
    for (const name of all) {
      for (const domain of domains) {
        for (const role of await roleManager.getRoles(name, domain)) all.add(role);
      }
    }
    return all;
  }
}

function decisionOf(topics: ReadonlySet<string>): Decision {
  if (topics.has('*')) return { allowed: true };
  return topics.size === 0 ? { allowed: false } : { allowed: true, topics: [...topics] };
}

function groupByName(grants: readonly PolicyGrant[]): ReadonlyMap<string, readonly PolicyGrant[]> {
  const groups = new Map<string, PolicyGrant[]>();
  for (const grant of grants) {
    const group = groups.get(grant.name);
    if (group === undefined) groups.set(grant.name, [grant]);
    else group.push(grant);
  }
  return groups;
}

/** casbin takes none of several rules if one is there twice. */
function distinct(rules: string[][]): string[][] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}
