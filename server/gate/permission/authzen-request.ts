import type { PermissionQuestion } from './permission-checker.js';

/** An access evaluation request (OpenID Authorization API 1.0, section 6.1). */
export interface AuthzenRequest {
  readonly subject: {
    readonly type: 'user' | 'client';
    readonly id: string;
    readonly properties: Readonly<Record<string, string>>;
  };
  readonly action: { readonly name: string };
  readonly resource: {
    readonly type: 'workspace';
    readonly id: string;
    readonly properties?: { readonly topics: readonly string[] };
  };
}

/** Of the token it tells who asks and nothing more. Equal questions give equal JSON. */
export function authzenRequestOf({
  principal: { subject, issuer, clientId },
  workspace,
  permission,
  topics,
}: PermissionQuestion): AuthzenRequest {
  return {
    // RFC 9068, section 2.2: where a client acts for itself, `sub` is its own name.
    subject: {
      type: subject === clientId ? 'client' : 'user',
      id: subject,
      properties: { issuer, ...(clientId !== null && { client_id: clientId }) },
    },
    action: { name: permission },
    resource: {
      type: 'workspace',
      id: workspace,
      ...(topics !== null && { properties: { topics } }),
    },
  };
}
