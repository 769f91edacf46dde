/** Who asks: what a verified token says of its bearer. */
export interface Principal {
  readonly subject: string;
  /** The workspaces that the token names; none where it names none. */
  readonly workspaces: readonly string[];
  /** When the token ends, in seconds since 1970. */
  readonly expiresAt: number;
  /** Every claim of the token, for a permission checker to look at. */
  readonly claims: Readonly<Record<string, unknown>>;
}
