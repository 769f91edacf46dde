import { CONTENT_TYPES, isServiceErrorCode } from '@sluice/protocol';
import { parseStreamError, type Refusal } from '../refusal.js';
import type { Answer } from './ask.js';

/** Why an answer says no: by the service's own problem, or by its status where something else answered. */
export function refusalOf({ status, headers, body }: Answer): Refusal {
  const problem = parseStreamError(body);
  if (problem !== null && isServiceErrorCode(problem.code)) return problem;
  return {
    code: `HTTP ${status}`,
    detail: `the answer is not from Sluice (${headers['content-type'] ?? 'no Content-Type'})`,
    recoverable: status === 429 || status >= 500,
    retryAfterMs: undefined,
  };
}

/** Whether Sluice itself wrote this answer. */
export function isProblemOfSluice({ headers, body }: Answer): boolean {
  const isProblem = headers['content-type']?.startsWith(CONTENT_TYPES.problem) === true;
  const problem = parseStreamError(body);
  return isProblem && problem !== null && isServiceErrorCode(problem.code);
}

/** What to do about a refusal; more exactly where its detail says which check it was. */
export function adviceFor({ code, detail, retryAfterMs }: Refusal): string {
  const exact = DETAILS.find(([fits]) => fits.test(detail));
  if (code === 'INVALID_TOKEN' && exact !== undefined) return exact[1];
  if (code === 'FORBIDDEN' && /origin/i.test(detail)) {
    return 'Add the origin, exactly as browsers send it, to ALLOWED_ORIGINS of the service.';
  }
  if (code === 'RATE_LIMIT_EXCEEDED') {
    const wait = retryAfterMs === undefined ? 'a minute' : `${Math.ceil(retryAfterMs / 1_000)} s`;
    return `Wait ${wait}. If it stays: a limit on streams, openings or failed attempts is reached. Behind a proxy that TRUST_PROXY does not name, all clients count as one address.`;
  }
  const advice = CODES[code];
  if (advice !== undefined) return advice;
  return code.startsWith('HTTP 5')
    ? 'A proxy answers in place of the service: look whether the service runs, and whether the proxy knows where.'
    : 'Something between answers in place of the service: look at its rules for this path.';
}

/** The details with which the gate refuses a token (server/gate/token), each with its remedy. */
const DETAILS: readonly (readonly [RegExp, string])[] = [
  [
    /another issuer/,
    'The claim "iss" must be one of the issuers that the service trusts (TOKEN_ISSUER), character by character.',
  ],
  [
    /another audience/,
    'The claim "aud" must hold the audience of the service (TOKEN_AUDIENCE): ask the identity provider for a token for it.',
  ],
  [
    /key that is not known/,
    'The token was signed with a key that the JWKS of its issuer does not hold: get a new token, or look whether the service reads the JWKS of this issuer (JWKS_URI).',
  ],
  [/signature/, 'The token was changed on its way, or signed by somebody else: get a new one.'],
  [
    /lies ahead/,
    'The clock of the issuer is ahead of the one of the service: set both by NTP, or raise CLOCK_TOLERANCE_SECONDS.',
  ],
  [
    /too far ahead|lives too long/,
    'Shorten the life of the tokens, or raise TOKEN_MAX_LIFETIME_SECONDS.',
  ],
  [
    /key of the token is not for/,
    'The JWKS says that this key is for another algorithm, or it is one that may verify nothing: see the check "JWKS".',
  ],
  [
    /algorithm/,
    'The service takes no such signatures: have the issuer sign with one of RS256, PS256, ES256, ES384 and EdDSA that TOKEN_ALGORITHMS lists.',
  ],
  [
    /type of an access token/,
    'The header "typ" must be that of an access token: an ID token is not one.',
  ],
  [/revoked/, 'The token was withdrawn: get a new one.'],
];

const CODES: Readonly<Record<string, string>> = {
  MISSING_TOKEN:
    'The token was sent and did not arrive: something between takes the Authorization header away. Let the proxy pass it on.',
  TOKEN_EXPIRED: 'Get a new token. If this one is new, compare the clocks.',
  INVALID_TOKEN: 'See the check "Token", and get a new token.',
  WORKSPACE_MISMATCH:
    'The token is of another workspace: get one whose workspace claim (WORKSPACE_CLAIM) names this workspace.',
  FORBIDDEN:
    'The permission checker says no: give the token realtime:subscribe (in "permissions", "scope" or by a role), or change the policy that decides.',
  AUTH_ERROR:
    'The service cannot reach the JWKS of the issuer, or who decides on permissions: look into its log, and from its machine.',
  INVALID_REQUEST: 'The service does not understand the request: see its detail.',
  UNAVAILABLE: 'The service goes down, or cannot reach its log: see its log and /readyz.',
  NOT_FOUND: 'Look at the path of the URL: the service is there, but not under this prefix.',
  INTERNAL_ERROR: 'The service has a fault: its log says more.',
};
