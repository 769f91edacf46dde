import type { RequestListener } from 'node:http';
import express, { type Express } from 'express';
import helmet from 'helmet';
import type { Config } from './config.js';
import { SluiceError } from './errors.js';
import { createErrorHandler } from './http/error-handler.js';
import { nameRequest } from './http/request-id.js';
import { boundRequestLine } from './http/request-line.js';
import { withPlainTarget } from './http/request-target.js';
import type { Log } from './ops/log.js';

/** The service as an Express application. It never listens: that is for its caller. */
export function createApp(
  routes: express.Router,
  { trustedProxies }: Pick<Config, 'trustedProxies'>,
  log: Log,
): Express {
  const app = express();
  app.set('trust proxy', trustedProxies);
  app.set('etag', false);
  app.disable('x-powered-by');
  app.set('query parser', false);
  app.use(helmet());
  app.use(boundRequestLine);
  app.use(routes);
  app.use(nameRequest, () => {
    throw new SluiceError('NOT_FOUND');
  });
  app.use(createErrorHandler(log));
  return app;
}

/** The same for a server of its own: what Express must not see does not reach it. */
export function createListener(...parts: Parameters<typeof createApp>): RequestListener {
  return withPlainTarget(createApp(...parts));
}
