import { hasControlCharacter, isPattern, isWorkspace, type Permission } from '@sluice/protocol';
import { permissionOf } from './permission-name.js';

/** `p, alice, acme, orders-*, subscribe` */
export interface PolicyGrant {
  readonly name: string;
  /** `*` for all. */
  readonly workspace: string;
  readonly topic: string;
  readonly permission: Permission;
}

/** `g, alice, editor, acme` */
export interface PolicyMembership {
  readonly name: string;
  readonly role: string;
  /** `*` for all. */
  readonly workspace: string;
}

export interface PolicyRules {
  readonly grants: readonly PolicyGrant[];
  readonly memberships: readonly PolicyMembership[];
}

/** What cannot stand in a policy, by line. The lines themselves are not repeated. */
export class PolicyFault extends Error {
  override readonly name = 'PolicyFault';
}

const MAX_RULES = 20_000;
const MAX_NAME_LENGTH = 256;
/** Who mends a file wants to see what is wrong, not all of what is wrong. */
const MAX_FAULTS = 10;

/**
 * Reads a policy in CSV, strictly: what is not understood might have been meant to narrow. Fields are separated by
 * commas and not quoted; a line that begins with `#` is a comment.
 * @throws PolicyFault naming the lines that cannot stand.
 */
export function readPolicyRules(text: string): PolicyRules {
  const grants: PolicyGrant[] = [];
  const memberships: PolicyMembership[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const fields = line.split(',').map((field) => field.trim());
    const fault =
      fields[0] === 'p'
        ? readGrant(fields, grants)
        : fields[0] === 'g'
          ? readMembership(fields, memberships)
          : 'does not begin with "p," or "g,"';
    if (fault !== null) faults.push(`line ${index + 1} ${fault}`);
    if (faults.length === MAX_FAULTS) break;
  }
  const count = grants.length + memberships.length;
  // A file is empty for a moment while it is written anew in its place; that must not turn everybody away.
  if (count === 0 && faults.length === 0) faults.push('there is no rule in it');
  if (count > MAX_RULES) faults.push(`there are more than ${MAX_RULES} rules in it`);
  if (faults.length > 0) throw new PolicyFault(faults.join('\n'));
  return { grants, memberships };
}

/** Takes a grant up, or says what is wrong with it. */
function readGrant(fields: readonly string[], grants: PolicyGrant[]): string | null {
  const [, name = '', workspace = '', topic = '', action = ''] = fields;
  const permission = permissionOf(action);
  if (fields.length !== 5) return 'is not "p, name, workspace, topic, action"';
  if (!isPolicyName(name)) return 'names nobody to whom something could be granted';
  if (!isDomain(workspace)) return 'does not name a workspace, or * for all';
  if (!isPattern(topic)) return 'does not name a topic, or a pattern of topics';
  if (permission === null) return 'names an action that is not known';
  if (permission === 'realtime:admin' && topic !== '*') {
    return 'grants admin on some topics; administration is not about topics, so it takes *';
  }
  grants.push({ name, workspace, topic, permission });
  return null;
}

function readMembership(fields: readonly string[], memberships: PolicyMembership[]): string | null {
  const [, name = '', role = '', workspace = ''] = fields;
  if (fields.length !== 4) return 'is not "g, name, role, workspace"';
  if (!isPolicyName(name)) return 'names nobody who could have a role';
  if (!isPolicyName(role)) return 'does not name a role';
  if (!isDomain(workspace)) return 'does not name a workspace, or * for all';
  memberships.push({ name, role, workspace });
  return null;
}

/** `*` is nobody's name: whoever writes it means everybody, which is not to be had. */
function isPolicyName(text: string): boolean {
  return (
    text !== '' &&
    text !== '*' &&
    text.length <= MAX_NAME_LENGTH &&
    !text.includes('"') &&
    !hasControlCharacter(text)
  );
}

function isDomain(text: string): boolean {
  return text === '*' || isWorkspace(text);
}
