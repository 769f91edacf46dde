import { EVENTS_ROUTE } from '@sluice/protocol';
import { type NextFunction, type Request, type Response, Router } from 'express';
import type { Config } from '../config.js';
import { SluiceError } from '../errors.js';
import type { Gate } from '../gate/gate.js';
import type { Hub } from '../hub/hub.js';
import type { Publisher } from '../log/publisher.js';
import type { Log } from '../ops/log.js';
import { createCors } from './cors.js';
import { createErrorHandler } from './error-handler.js';
import { createPublishRoute } from './publish-route.js';
import { nameRequest } from './request-id.js';
import { createSubscribeRoute } from './subscribe-route.js';

/** What the routes are made of. */
export interface RealtimeParts {
  readonly gate: Gate;
  readonly hub: Hub;
  readonly publisher: Publisher;
  readonly log: Log;
  readonly config: Pick<Config, 'stream' | 'publish' | 'allowedOrigins'>;
}

/** All of `/realtime`; other paths are left to whoever is asked next. */
export function createRealtimeRoutes({ gate, hub, publisher, log, config }: RealtimeParts): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.use('/realtime', nameRequest, createCors(config.allowedOrigins));
  router
    .route(EVENTS_ROUTE)
    // Express would answer HEAD with the handler of GET, which opens a stream.
    .head(methodNotAllowed)
    .get(createSubscribeRoute({ gate, hub, log, limits: config.stream }))
    .post(createPublishRoute({ gate, publisher, limits: config.publish }))
    .all(methodNotAllowed);
  router.use(createErrorHandler(log));
  return router;
}

function methodNotAllowed(_request: Request, response: Response, _next: NextFunction): void {
  response.setHeader('Allow', 'GET, POST');
  throw new SluiceError('METHOD_NOT_ALLOWED');
}
