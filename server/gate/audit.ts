import type { Permission, ServiceErrorCode } from '@sluice/protocol';

/** Who it was about. No token, and nothing from which one could be made. */
export interface AuditedPrincipal {
  readonly subject: string;
  readonly issuer: string;
  readonly clientId: string | null;
  readonly tokenId: string | null;
  /** What the token is called in logs. */
  readonly tokenHash?: string;
}

export function auditedPrincipal({
  subject,
  issuer,
  clientId,
  tokenId,
  tokenHash,
}: AuditedPrincipal): AuditedPrincipal {
  return { subject, issuer, clientId, tokenId, ...(tokenHash !== undefined && { tokenHash }) };
}

/** What the permission checker was asked, and what came of it. */
export interface DecisionRecord extends AuditedPrincipal {
  readonly kind: 'decision';
  readonly requestId: string;
  readonly workspace: string;
  readonly permission: Permission;
  /** Topics asked for; `null` for all. */
  readonly topics: readonly string[] | null;
  /** The name of the checker. */
  readonly checker: string;
  /**
   * `ok`; FORBIDDEN; AUTH_ERROR where it could not say. Of an open stream that is ended: the code of its end, which is
   * UNAVAILABLE where it may come back to less.
   */
  readonly outcome: 'ok' | ServiceErrorCode;
  /** Topics that an allowed principal was narrowed to; `null` for no narrowing. */
  readonly granted: readonly string[] | null;
  readonly durationMs: number;
}

/** Tokens that were withdrawn before their time. */
export interface RevocationRecord extends AuditedPrincipal {
  readonly kind: 'revocation';
  readonly requestId: string;
  readonly workspace: string;
  /** What was revoked: the members of the request. */
  readonly revoked: Readonly<Record<string, string | number | boolean>>;
}

/** Who was let in to what, and who withdrew it: for those who must answer for it later. */
export interface Audit {
  record(entry: DecisionRecord | RevocationRecord): void;
}

export const silentAudit: Audit = { record() {} };
