import { isName } from '@sluice/protocol';
import { SluiceError } from '../errors.js';
import type { Revocation, RevocationKind } from '../gate/revocation/revocation.js';

const KINDS: readonly RevocationKind[] = ['jti', 'sub', 'client_id', 'all'];
const MEMBERS = [...KINDS, 'iss', 'before'];
/** No claim of a token that is accepted is longer. */
const MAX_NAME_LENGTH = 256;
const RFC_3339 =
  /^(\d{4}-\d\d-(\d\d))T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

export interface RevocationRules {
  /** Whose tokens are accepted here. */
  readonly issuers: readonly string[];
  readonly clockToleranceSeconds: number;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads what is to be revoked in a workspace.
 * @param now ms since 1970
 * @throws SluiceError INVALID_REQUEST naming the member that is at fault
 */
export function readRevocation(
  body: unknown,
  workspace: string,
  { issuers, clockToleranceSeconds }: RevocationRules,
  now: number,
): Revocation {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid('The body is not a JSON object.');
  }
  const members = body as Members;
  const unknown = Object.keys(members).find((name) => !MEMBERS.includes(name));
  if (unknown !== undefined) {
    throw invalid(`${isName(unknown) ? `"${unknown}"` : 'A member'} is not known here.`);
  }
  const kind = readKind(members);
  return {
    workspace,
    kind,
    name: kind === 'all' ? readAll(members) : readText(members, kind),
    issuer: readIssuer(members, issuers),
    before: readBefore(members, kind, now + clockToleranceSeconds * 1_000),
    revokedAt: now,
  };
}

/** A revocation as its caller sees it. */
export function revocationBody({ kind, name, issuer, before }: Revocation, forgottenAt: number) {
  return {
    [kind]: kind === 'all' ? true : name,
    ...(issuer !== null && { iss: issuer }),
    ...(before !== null && { before: new Date(before).toISOString() }),
    expiresAt: new Date(forgottenAt).toISOString(),
  };
}

function readKind(members: Members): RevocationKind {
  const [kind, ...more] = KINDS.filter((name) => Object.hasOwn(members, name));
  if (kind !== undefined && more.length === 0) return kind;
  throw invalid('Exactly one of "jti", "sub", "client_id" and "all" must be given.');
}

function readAll({ all }: Members): string {
  if (all !== true) throw invalid('"all" is not true.');
  return '';
}

function readText(members: Members, name: string): string {
  const value = members[name];
  if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME_LENGTH) return value;
  throw invalid(`"${name}" is not a text of 1 to ${MAX_NAME_LENGTH} characters.`);
}

/** A name that no token can hold revokes nothing, and whoever gave it believes that it did. */
function readIssuer(members: Members, issuers: readonly string[]): string | null {
  if (!Object.hasOwn(members, 'iss')) return null;
  const issuer = issuers.find((trusted) => trusted === members['iss']);
  if (issuer === undefined) throw invalid('"iss" is not an issuer whose tokens are accepted here.');
  return issuer;
}

/** Of now, unless it is given: and of as far ahead as the clock of an issuer may be. */
function readBefore(members: Members, kind: RevocationKind, latest: number): number | null {
  if (!Object.hasOwn(members, 'before')) return kind === 'jti' ? null : latest;
  if (kind === 'jti') throw invalid('"before" does not go with "jti".');
  const time = timeOf(members['before']);
  if (time === null) throw invalid('"before" is not an RFC 3339 time.');
  if (time > latest) throw invalid('"before" lies ahead.');
  return time;
}

/** In ms since 1970; `null` where it is no time. */
function timeOf(value: unknown): number | null {
  const match = typeof value === 'string' ? RFC_3339.exec(value) : null;
  // `Date` takes 30 February for 1 March; a day that exists stays itself.
  const isTime = match !== null && new Date(`${match[1]}T00:00Z`).getUTCDate() === Number(match[2]);
  return isTime ? Date.parse(match[0]) : null;
}

function invalid(detail: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', detail);
}
