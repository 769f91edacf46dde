import {
  AUTH_TOKEN_PATH,
  AUTH_VERIFY_PATH,
  JWKS_PATH,
  METADATA_PATH,
  TOKEN_PATH,
} from '@sluice/protocol';
import express, { type Request, type Response, Router } from 'express';
import type { Issuer } from '../issuer/issuer.js';
import { answerTokenRequest } from '../issuer/token-endpoint.js';
import type { Refusals } from '../ops/refusals.js';
import { type AuthTokenParts, createAuthTokenRoute } from './auth-token-route.js';
import { type AuthVerifyParts, createAuthVerifyRoute } from './auth-verify-route.js';
import { clientAuthenticationOf } from './client-authentication.js';
import { createCors } from './cors.js';
import { createErrorHandler } from './error-handler.js';
import { forThisMachine } from './for-this-machine.js';
import { headerValues } from './header-values.js';
import { createIssuerMetadata } from './issuer-metadata.js';
import { methodNotAllowed } from './method-not-allowed.js';
import { nameRequest } from './request-id.js';

const MAX_FORM_BYTES = 8_192;
/** No longer than a new key waits before it signs. */
const KEYS_MAX_AGE_SECONDS = 60;

export const ISSUER_PATHS: readonly string[] = [
  JWKS_PATH,
  METADATA_PATH,
  TOKEN_PATH,
  AUTH_TOKEN_PATH,
  AUTH_VERIFY_PATH,
];

export interface IssuerParts extends AuthTokenParts, AuthVerifyParts {
  /** What its tokens say in `iss`. */
  readonly issuerName: string;
  /** Origins whose pages may ask. */
  readonly allowedOrigins: readonly string[];
  /** Whether others than this machine may ask. */
  readonly isExposed: boolean;
  readonly refusals: Refusals;
}

/** The embedded issuer: its keys and metadata, the tokens that it gives, and what a token says. */
export function createIssuerRoutes(parts: IssuerParts): Router {
  const router = Router({ caseSensitive: true, strict: true });
  // Before anything is counted: a page anywhere could let the attempts of this machine fail.
  router.use([...ISSUER_PATHS], nameRequest, createCors(parts.allowedOrigins));
  if (!parts.isExposed) router.use([...ISSUER_PATHS], forThisMachine);

  router.route(JWKS_PATH).get(createKeysRoute(parts.issuer)).all(methodNotAllowed('GET, HEAD'));
  router
    .route(METADATA_PATH)
    .get(createIssuerMetadata(parts.issuerName))
    .all(methodNotAllowed('GET, HEAD'));
  router
    .route(TOKEN_PATH)
    .post(
      express.text({ type: 'application/x-www-form-urlencoded', limit: MAX_FORM_BYTES }),
      createTokenRoute(parts),
    )
    .all(methodNotAllowed('POST'));
  router.route(AUTH_TOKEN_PATH).post(createAuthTokenRoute(parts)).all(methodNotAllowed('POST'));
  router.route(AUTH_VERIFY_PATH).post(createAuthVerifyRoute(parts)).all(methodNotAllowed('POST'));

  router.use(createErrorHandler(parts.refusals));
  return router;
}

/** `GET /.well-known/jwks.json` */
function createKeysRoute(issuer: Issuer) {
  return (_request: Request, response: Response): void => {
    response
      .setHeader('Cache-Control', `public, max-age=${KEYS_MAX_AGE_SECONDS}`)
      .json(issuer.jwks());
  };
}

/** `POST /oauth/token` */
function createTokenRoute(parts: AuthTokenParts) {
  const { issuer, lifetimeSeconds } = parts;
  return async (request: Request, response: Response): Promise<void> => {
    const form = {
      authorization: headerValues(request, 'authorization'),
      body: typeof request.body === 'string' ? request.body : '',
    };
    const clients = clientAuthenticationOf(request, parts);
    const answer = await answerTokenRequest(issuer, clients, form, { lifetimeSeconds });
    response.status(answer.status).set(answer.headers).json(answer.body);
  };
}
