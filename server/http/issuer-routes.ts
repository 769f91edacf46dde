import { JWKS_PATH, TOKEN_PATH } from '@sluice/protocol';
import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { SluiceError } from '../errors.js';
import type { ClientStore } from '../issuer/client-store.js';
import type { Issuer } from '../issuer/issuer.js';
import { answerTokenRequest } from '../issuer/token-endpoint.js';
import type { Log } from '../ops/log.js';
import { createErrorHandler } from './error-handler.js';
import { nameRequest } from './request-id.js';

const MAX_FORM_BYTES = 8_192;

export interface IssuerParts {
  readonly issuer: Issuer;
  readonly clients: ClientStore;
  /** Whether others than this machine may ask. */
  readonly isExposed: boolean;
  /** How long its tokens live, in seconds. */
  readonly lifetimeSeconds: number;
  readonly log: Log;
}

/** The embedded issuer's key set, and its token endpoint. */
export function createIssuerRoutes(parts: IssuerParts): Router {
  const { issuer, clients, isExposed, lifetimeSeconds, log } = parts;
  const router = Router({ caseSensitive: true, strict: true });
  router.use([JWKS_PATH, TOKEN_PATH], nameRequest);
  if (!isExposed) router.use([JWKS_PATH, TOKEN_PATH], forThisMachine);

  router
    .route(JWKS_PATH)
    .get((_request: Request, response: Response) => {
      response.setHeader('Cache-Control', 'public, max-age=300').json(issuer.jwks());
    })
    .all(notAllowed('GET, HEAD'));

  router
    .route(TOKEN_PATH)
    .post(
      express.text({ type: 'application/x-www-form-urlencoded', limit: MAX_FORM_BYTES }),
      async (request: Request, response: Response) => {
        const form = {
          authorization: request.headers.authorization,
          body: typeof request.body === 'string' ? request.body : '',
        };
        const answer = await answerTokenRequest(issuer, clients, form, { lifetimeSeconds });
        response.status(answer.status).set(answer.headers).json(answer.body);
      },
    )
    .all(notAllowed('POST'));

  router.use(createErrorHandler(log));
  return router;
}

/** The issuer is for one machine; to all others it is not there. */
function forThisMachine(request: Request, _response: Response, next: NextFunction): void {
  const address = request.socket.remoteAddress ?? '';
  if (!/^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address)) throw new SluiceError('NOT_FOUND');
  next();
}

function notAllowed(methods: string) {
  return (_request: Request, response: Response): void => {
    response.setHeader('Allow', methods);
    throw new SluiceError('METHOD_NOT_ALLOWED');
  };
}
