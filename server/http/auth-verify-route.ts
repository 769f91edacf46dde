import { PARAMETERS } from '@sluice/protocol';
import type { Request, Response } from 'express';
import { SluiceError } from '../errors.js';
import type { CountedVerifier } from '../gate/admission/counted-verifier.js';
import type { Principal } from '../gate/principal.js';
import type { Revocations } from '../gate/revocation/revocations.js';
import { findToken, MAX_TOKEN_LENGTH } from '../gate/token/find-token.js';
import { membersOf } from './auth-body.js';
import { headerValues } from './header-values.js';
import { createJsonBodyReader, type JsonBodyReader } from './json-body.js';
import { addressOf, queryOf } from './request.js';
import { recordOf } from './request-watch.js';

/** A token of the greatest length, and its name. */
const MAX_BODY_BYTES = MAX_TOKEN_LENGTH + 1_024;

export interface AuthVerifyParts {
  readonly tokens: CountedVerifier;
  readonly revocations: Revocations;
}

/** `POST /auth/verify`: what a token says, if it holds. */
export function createAuthVerifyRoute({ tokens, revocations }: AuthVerifyParts) {
  const readBody = createJsonBodyReader(MAX_BODY_BYTES);

  return async (request: Request, response: Response): Promise<void> => {
    const token = await readToken(request, response, readBody);
    const principal = await tokens.verify(token, addressOf(request));
    recordOf(response)?.identified(principal);
    checkRevocations(principal, revocations);
    const { claims, expiresAt } = principal;
    response
      .status(200)
      .setHeader('Cache-Control', 'no-store')
      .json({ claims, expiresAt: new Date(expiresAt * 1_000).toISOString() });
  };
}

/** The token, from the Authorization header or from the body. */
async function readToken(
  request: Request,
  response: Response,
  readBody: JsonBodyReader,
): Promise<string> {
  const query = queryOf(request);
  if (query.has(PARAMETERS.accessToken) || query.has(PARAMETERS.streamToken)) {
    throw invalid('A token in the address is not verified here.');
  }
  const body = hasBody(request) ? await readBody(request, response) : {};
  const { token } = membersOf(body, ['token']);
  const authorization = headerValues(request, 'authorization');
  if (token === undefined) return findToken({ authorization, query }).token;
  if (authorization.length > 0) {
    throw invalid('The token stands in the Authorization header or in the body, not in both.');
  }
  if (typeof token === 'string' && token !== '' && token.length <= MAX_TOKEN_LENGTH) return token;
  throw invalid('"token" is not a token.');
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * A token that was revoked in some of its workspaces still opens the others.
 * @throws SluiceError INVALID_TOKEN if it was revoked in all of them
 */
function checkRevocations(principal: Principal, revocations: Revocations): void {
  const refusals = principal.workspaces.map((workspace) => {
    try {
      revocations.check(principal, workspace);
      return null;
    } catch (refusal) {
      return refusal;
    }
  });
  if (refusals.length > 0 && refusals.every((refusal) => refusal !== null)) throw refusals[0];
}

function invalid(detail: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', detail);
}
