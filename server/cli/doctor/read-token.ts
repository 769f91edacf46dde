import { tokenHashOf } from '../../gate/token/token-hash.js';

type Members = Readonly<Record<string, unknown>>;

/** A token taken apart for reading. Nothing of it is believed. */
export interface ReadToken {
  readonly text: string;
  /** What it is called in the logs of the service (`tokenHash`). */
  readonly hash: string;
  /** `null` where it is no JWT that can be read. */
  readonly parts: { readonly header: Members; readonly claims: Members } | null;
}

export function readToken(text: string): ReadToken {
  const [header, claims] = text.split('.').map(objectIn);
  return {
    text,
    hash: tokenHashOf(text),
    parts: header && claims ? { header, claims } : null,
  };
}

function objectIn(segment: string): Members | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Members)
      : null;
  } catch {
    return null;
  }
}

/** The workspaces that a token names, under the claim's name and its plural. */
export function workspacesIn(claims: Members, claimName: string): readonly string[] {
  return [claims[claimName], claims[`${claimName}s`]]
    .flat()
    .filter((name) => typeof name === 'string');
}
