import { ALGORITHMS } from '../../config.js';
import { SluiceError } from '../../errors.js';
import { readClaims } from '../../gate/token/claims.js';
import type { ExpectedSettings } from './examination.js';
import { doubtful, type Remark, refused, remark } from './judge-form.js';
import { workspacesIn } from './read-token.js';

type Claims = Readonly<Record<string, unknown>>;

interface Circumstances {
  /** Seconds since 1970, by the clock of the service. */
  readonly now: number;
  readonly workspace: string | null;
  readonly expected: ExpectedSettings;
}

const DEFAULT_WORKSPACE_CLAIM = 'workspace';
/** The default of TOKEN_MAX_LIFETIME_SECONDS. */
const MAX_LIFETIME_SECONDS = 86_400;
const EXPIRES_SOON_SECONDS = 60;
/** After the year 5000: the issuer counts milliseconds. */
const MILLISECONDS_FROM = 100_000_000_000;

/** Claim by claim. What the service is told is known only as far as the environment has it. */
export function judgeClaims(claims: Claims, circumstances: Circumstances): readonly Remark[] {
  const remarks = [
    judgeIssuer(claims['iss'], circumstances.expected),
    judgeAudience(claims['aud'], circumstances.expected),
    remark('sub', claims['sub'], 'claims'),
    ...judgeTimes(claims, circumstances),
    ...judgeWorkspaces(claims, circumstances),
    ...judgeGrants(claims),
  ];
  const rest = faultOfClaims(claims, circumstances);
  const isKnown = remarks.some(({ verdict }) => verdict === 'problem');
  return rest === null || isKnown
    ? remarks
    : [
        ...remarks,
        refused(
          'claims',
          '',
          'claims',
          rest,
          'Have the issuer write this claim as docs/PROTOCOL.md says.',
        ),
      ];
}

function judgeIssuer(iss: unknown, { issuer }: ExpectedSettings): Remark {
  if (typeof iss !== 'string')
    return refused('iss', iss, 'issuer', 'it must be a text', 'The issuer must name itself.');
  if (issuer === null || issuer === iss) return remark('iss', iss, 'issuer');
  return refused(
    'iss',
    iss,
    'issuer',
    `TOKEN_ISSUER is ${issuer} here`,
    'Get the token from the issuer that the service trusts, or correct TOKEN_ISSUER: the two are compared character by character.',
  );
}

function judgeAudience(aud: unknown, { audience }: ExpectedSettings): Remark {
  const named = [aud].flat();
  if (aud === undefined || !named.every((name) => typeof name === 'string')) {
    return refused(
      'aud',
      aud,
      'audience',
      'it must be a text or a list of texts',
      'Ask the issuer for a token for this service (its audience).',
    );
  }
  if (audience === null || named.includes(audience)) return remark('aud', aud, 'audience');
  return refused(
    'aud',
    aud,
    'audience',
    `TOKEN_AUDIENCE is ${audience} here`,
    'Ask the issuer for a token for this service (its audience), or correct TOKEN_AUDIENCE.',
  );
}

function judgeTimes(claims: Claims, { now, expected }: Circumstances): readonly Remark[] {
  return [
    judgeExpiry(claims['exp'], now, expected),
    ...(['nbf', 'iat'] as const).flatMap((name) =>
      claims[name] === undefined ? [] : [judgeStart(name, claims[name], now, expected)],
    ),
  ];
}

function judgeExpiry(
  exp: unknown,
  now: number,
  { clockToleranceSeconds }: ExpectedSettings,
): Remark {
  if (typeof exp !== 'number')
    return refused(
      'exp',
      exp,
      'claims',
      'it must be a number of seconds',
      'Tokens without an end are not taken: have the issuer set one.',
    );
  const shown = timeOf(exp, now);
  if (exp >= MILLISECONDS_FROM)
    return refused(
      'exp',
      shown,
      'claims',
      'it counts milliseconds',
      'Have the issuer write seconds since 1970.',
    );
  if (exp + clockToleranceSeconds <= now)
    return refused('exp', shown, 'expiry', 'the token has expired', 'Get a new token.');
  if (exp > now + MAX_LIFETIME_SECONDS + clockToleranceSeconds) {
    return doubtful(
      'exp',
      shown,
      'claims',
      'further ahead than the service takes by default (a day)',
      'Shorten the life of the tokens, or raise TOKEN_MAX_LIFETIME_SECONDS.',
    );
  }
  return exp < now + EXPIRES_SOON_SECONDS
    ? doubtful(
        'exp',
        shown,
        'expiry',
        'the token ends soon',
        'Use one that lives longer for this examination.',
      )
    : remark('exp', shown, 'expiry');
}

function judgeStart(
  name: 'nbf' | 'iat',
  value: unknown,
  now: number,
  { clockToleranceSeconds }: ExpectedSettings,
): Remark {
  if (typeof value !== 'number')
    return refused(
      name,
      value,
      'claims',
      'it must be a number of seconds',
      'Have the issuer write a number.',
    );
  const shown = timeOf(value, now);
  return value > now + clockToleranceSeconds
    ? refused(
        name,
        shown,
        'claims',
        'it lies ahead of the clock of the service',
        'Set the clocks of issuer and service by NTP, or raise CLOCK_TOLERANCE_SECONDS.',
      )
    : remark(name, shown, 'claims');
}

function judgeWorkspaces(
  claims: Claims,
  { workspace, expected }: Circumstances,
): readonly Remark[] {
  const claimName = expected.workspaceClaim ?? DEFAULT_WORKSPACE_CLAIM;
  const named = workspacesIn(claims, claimName);
  const there = [claimName, `${claimName}s`].filter((name) => claims[name] !== undefined);
  if (workspace === null || named.includes(workspace)) {
    return there.map((name) => remark(name, claims[name], 'workspace'));
  }
  const other = Object.keys(claims).find((name) => [claims[name]].flat().includes(workspace));
  const hint =
    other === undefined
      ? `Get a token of the workspace ${workspace}, or ask for the one that it names.`
      : `The claim "${other}" names it: if the service has WORKSPACE_CLAIM=${other.replace(/s$/, '')}, tell the doctor so in its environment.`;
  const missing = `it does not name ${workspace} (WORKSPACE_MISMATCH)`;
  const note = other === undefined ? missing : `${missing}, but "${other}" does`;
  const value = there.length === 0 ? undefined : named;
  // Under another name of the claim it may be good.
  return other !== undefined && expected.workspaceClaim === null
    ? [doubtful(claimName, value, 'workspace', note, hint)]
    : [refused(claimName, value, 'workspace', note, hint)];
}

function judgeGrants(claims: Claims): readonly Remark[] {
  return ['permissions', 'scope', 'role', 'roles']
    .filter((name) => claims[name] !== undefined)
    .map((name) => remark(name, claims[name], 'permission'));
}

/** What the gate itself has against the claims, its settings taken for those that would let the token in. */
function faultOfClaims(claims: Claims, { now, expected }: Circumstances): string | null {
  const issuer = expected.issuer ?? textOf(claims['iss']);
  const audience = expected.audience ?? textOf([claims['aud']].flat()[0]);
  try {
    readClaims(
      claims,
      { issuer, audience },
      {
        trustedIssuers: [],
        algorithms: ALGORITHMS,
        requiresAccessTokenType: false,
        workspaceClaim: expected.workspaceClaim ?? DEFAULT_WORKSPACE_CLAIM,
        clockToleranceSeconds: expected.clockToleranceSeconds,
        maxLifetimeSeconds: Number.MAX_SAFE_INTEGER,
      },
      now,
    );
    return null;
  } catch (error) {
    if (error instanceof SluiceError) return error.message;
    throw error;
  }
}

function textOf(claim: unknown): string {
  return typeof claim === 'string' ? claim : '';
}

function timeOf(value: number, now: number): string {
  const time = new Date(value * 1_000);
  if (Number.isNaN(time.getTime())) return String(value);
  const away = Math.round(Math.abs(value - now));
  return `${time.toISOString().replace('.000', '')} (${value > now ? `in ${spanOf(away)}` : `${spanOf(away)} ago`})`;
}

function spanOf(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}
