import { readTopicClaims } from '../../../gate/permission/topic-claims.js';
import type { Check } from '../examination.js';
import { ok, problem, skipped } from '../finding.js';
import type { ReadToken } from '../read-token.js';
import { adviceFor } from '../refusal-of.js';

/** What the permission checker said to realtime:subscribe. */
export const permissionCheck: Check = {
  id: 'permission',
  title: 'Permission',
  needs: ['entry'],
  async run({ known, token }) {
    const { first } = known;
    if (first === undefined || 'heldBackMs' in first) return skipped('the gate did not answer');
    const granted = grantsIn(token?.parts?.claims ?? {});
    if (first.refusal !== null) {
      const { code, detail } = first.refusal;
      return problem([`${code}: ${detail}`, granted], adviceFor(first.refusal), { allowed: false });
    }
    return ok(['realtime:subscribe is granted', granted, ...narrowing(token)], { allowed: true });
  },
};

/** Where `permissions` is a map, the token is good for some topics alone, and silent on all others. */
function narrowing(token: ReadToken | null): string[] {
  const named = token?.parts?.claims['permissions'];
  if (typeof named !== 'object' || named === null || Array.isArray(named)) return [];
  const claims = readTopicClaims(named);
  const topics = [
    ...(claims?.rooms ?? []),
    ...(claims?.actions ?? []).flatMap(([topic, granted]) =>
      granted.includes('realtime:subscribe') ? [topic] : [],
    ),
  ];
  return topics.includes('*') || topics.length === 0
    ? []
    : [`events of other topics than these do not come: ${topics.join(', ')}`];
}

/** What the token itself grants; a policy or a decision point of the service may decide otherwise. */
function grantsIn(claims: Readonly<Record<string, unknown>>): string {
  const named = ['permissions', 'scope', 'role', 'roles'].flatMap((name) =>
    claims[name] === undefined ? [] : [`${name} ${JSON.stringify(claims[name])}`],
  );
  return named.length === 0
    ? 'the token names no permissions, scope or roles'
    : `the token says: ${named.join(', ')}`;
}
