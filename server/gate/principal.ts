/** Who asks, by a token that holds. */
export interface Principal {
  readonly subject: string;
  /** `iss` of the token. */
  readonly issuer: string;
  /** The program that got the token: `client_id` (RFC 9068), else `azp`; `null` where neither is there. */
  readonly clientId: string | null;
  /** `jti` */
  readonly tokenId: string | null;
  /** `iat`, in seconds since 1970. */
  readonly issuedAt: number | null;
  /** Workspaces that the token is for. */
  readonly workspaces: readonly string[];
  /** `exp`, in seconds since 1970. */
  readonly expiresAt: number;
  /** What its token is called in logs; without it, the principal was not read from a token. */
  readonly tokenHash?: string;
  /** All claims of the token, frozen. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Two issuers may each have an alice: a subject is its issuer's own. */
export function subjectKey({ issuer, subject }: Pick<Principal, 'issuer' | 'subject'>): string {
  return JSON.stringify([issuer, subject]);
}
