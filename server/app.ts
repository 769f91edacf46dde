import {
  createServer,
  IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  ServerResponse,
} from 'node:http';
import express, { type Express, type Response } from 'express';
import type { Config } from './config.js';
import { SluiceError } from './errors.js';
import { createErrorHandler } from './http/error-handler.js';
import { inOrder } from './http/in-order.js';
import { watchOutside } from './http/outside-requests.js';
import { nameRequest } from './http/request-id.js';
import { boundRequestLine } from './http/request-line.js';
import { withPlainTarget } from './http/request-target.js';
import { RequestWatch } from './http/request-watch.js';
import { createSecurityHeaders } from './http/security-headers.js';
import type { Log } from './ops/log.js';
import type { Refusals } from './ops/refusals.js';
import type { Ending } from './ops/shutdown.js';

/** What a process of its own has beside its routes. */
export interface AppParts {
  readonly refusals?: Refusals;
  readonly ending?: Readonly<Ending>;
}

type AppConfig = Pick<Config, 'trustedProxies'> & Partial<Pick<Config, 'logsAddresses'>>;

/** The service as an Express application. It never listens: that is for its caller. */
export function createApp(
  routes: express.Router,
  config: AppConfig,
  log: Log,
  { refusals, ending }: AppParts = {},
): Express {
  const app = express();
  giveOwnClasses(app);
  if (ending !== undefined) app.response.writeHead = lastOnceEnding(ending);
  app.set('trust proxy', config.trustedProxies);
  app.set('etag', false);
  app.disable('x-powered-by');
  app.set('query parser', false);
  app.use(inOrder(watchOf(config, log).handler, createSecurityHeaders(), boundRequestLine));
  app.use(routes);
  app.use(nameRequest, () => {
    throw new SluiceError('NOT_FOUND');
  });
  app.use(createErrorHandler(refusals));
  return app;
}

/**
 * Express gives every request and response the prototypes of its application. An object whose prototype is changed once it
 * is made is slow for the rest of its life; those that are made with these classes have the right one from the beginning.
 */
function giveOwnClasses(app: Express): void {
  class AppRequest extends IncomingMessage {}
  class AppResponse extends ServerResponse {}
  app.request = Object.setPrototypeOf(AppRequest.prototype, app.request);
  app.response = Object.setPrototypeOf(AppResponse.prototype, app.response);
}

/** Answers end their connection while the service is about to end, so that no request comes behind them. */
function lastOnceEnding(ending: Readonly<Ending>): Response['writeHead'] {
  const { writeHead } = ServerResponse.prototype;
  return function (this: Response, ...args: unknown[]): Response {
    if (ending.hasBegun) this.shouldKeepAlive = false;
    return Reflect.apply(writeHead, this, args) as Response;
  };
}

/** The same for a server of its own: what Express must not see does not reach it. */
export function createListener(...parts: Parameters<typeof createApp>): RequestListener {
  const [, config, log] = parts;
  return plainListener(createApp(...parts), config, log);
}

function plainListener(app: Express, config: AppConfig, log: Log): RequestListener {
  return withPlainTarget(app, watchOf(config, log));
}

/** A server of its own, which tells of what reaches no listener too. */
export function createService(
  options: ServerOptions,
  ...parts: Parameters<typeof createApp>
): Server {
  const [, config, log] = parts;
  const app = createApp(...parts);
  const server = createServer(
    { ...options, ...classesOf(app), requireHostHeader: false },
    plainListener(app, config, log),
  );
  watchOutside(server, watchOf(config, log), log);
  return server;
}

/** The classes that Express makes nothing else of. */
function classesOf({ request, response }: Express) {
  return {
    IncomingMessage: request.constructor as typeof IncomingMessage,
    ServerResponse: response.constructor as typeof ServerResponse,
  };
}

function watchOf({ logsAddresses = false }: AppConfig, log: Log): RequestWatch {
  return new RequestWatch({ log, tellsAddress: logsAddresses });
}
