import { EVENTS_ROUTE, REVOCATIONS_ROUTE, STREAM_TOKENS_ROUTE } from '@sluice/protocol';
import { Router } from 'express';
import type { Config } from '../config.js';
import type { Admissions } from '../gate/admission/admissions.js';
import type { StreamTokens } from '../gate/admission/stream-tokens.js';
import type { Audit } from '../gate/audit.js';
import type { Gate } from '../gate/gate.js';
import type { RevocationList } from '../gate/revocation/revocation-list.js';
import type { Hub } from '../hub/hub.js';
import type { Publisher } from '../log/publisher.js';
import type { Log } from '../ops/log.js';
import type { Refusals } from '../ops/refusals.js';
import { createCors } from './cors.js';
import { createErrorHandler } from './error-handler.js';
import { inOrder } from './in-order.js';
import { methodNotAllowed } from './method-not-allowed.js';
import { createProxyWarning } from './proxy-warning.js';
import { createPublishRoute } from './publish-route.js';
import { nameRequest } from './request-id.js';
import { createRevocationsRoute } from './revocations-route.js';
import { createStreamTokensRoute } from './stream-tokens-route.js';
import { createSubscribeRoute } from './subscribe-route.js';

/** What the routes are made of. */
export interface RealtimeParts {
  readonly gate: Gate;
  readonly admissions: Admissions;
  readonly streamTokens: StreamTokens;
  readonly revocations: RevocationList;
  readonly audit: Audit;
  readonly hub: Hub;
  readonly publisher: Publisher;
  readonly refusals: Refusals;
  readonly log: Log;
  readonly config: Pick<Config, 'stream' | 'publish' | 'allowedOrigins' | 'tokens'>;
}

/** All of `/realtime`; other paths are left to whoever is asked next. */
export function createRealtimeRoutes(parts: RealtimeParts): Router {
  const { gate, admissions, streamTokens, revocations, audit, hub, publisher, config } = parts;
  const { refusals, log } = parts;
  const router = Router({ caseSensitive: true, strict: true });
  const cors = createCors(config.allowedOrigins);
  router.use('/realtime', inOrder(nameRequest, createProxyWarning(log), cors));
  router
    .route(EVENTS_ROUTE)
    // Express would answer HEAD with the handler of GET, which opens a stream.
    .head(methodNotAllowed('GET, POST'))
    .get(createSubscribeRoute({ gate, admissions, hub, refusals, log, limits: config.stream }))
    .post(createPublishRoute({ gate, publisher, limits: config.publish }))
    .all(methodNotAllowed('GET, POST'));
  router
    .route(STREAM_TOKENS_ROUTE)
    .post(createStreamTokensRoute({ gate, streamTokens }))
    .all(methodNotAllowed('POST'));
  router
    .route(REVOCATIONS_ROUTE)
    .post(createRevocationsRoute({ gate, revocations, audit, tokens: config.tokens }))
    .all(methodNotAllowed('POST'));
  router.use(createErrorHandler(refusals));
  return router;
}
